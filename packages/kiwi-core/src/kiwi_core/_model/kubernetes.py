"""Facts about Kubernetes' own kinds."""

from __future__ import annotations

from typing import Final

__all__ = ["ASSUMED", "CLUSTER_KINDS"]

ASSUMED: Final = "1.37"
"""The version that manifests are rendered for where a cluster does not say which one it runs."""

# Kinds that have no namespace: those of Kubernetes (`kubectl api-resources --namespaced=false`, deprecated ones, too)
# and of what platforms commonly add.
CLUSTER_KINDS: Final = frozenset({
    "APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterExternalSecret", "ClusterImageCatalog",
    "ClusterIssuer", "ClusterPolicy", "ClusterRole", "ClusterRoleBinding", "ClusterSecretStore", "ClusterTrustBundle",
    "CustomResourceDefinition", "DeviceClass", "FlowSchema", "GatewayClass", "IngressClass",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Namespace", "Node",
    "PersistentVolume", "PodSecurityPolicy", "PriorityClass", "PriorityLevelConfiguration", "ResourceSlice",
    "RuntimeClass", "SecurityContextConstraints", "StorageClass", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttributesClass",
    "VolumeSnapshotClass", "VolumeSnapshotContent",
})  # fmt: skip
