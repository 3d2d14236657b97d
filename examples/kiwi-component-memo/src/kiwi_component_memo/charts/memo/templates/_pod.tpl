{{- define "memo.pod" -}}
serviceAccountName: memo
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "memo.container" -}}
image: {{ printf "%s:%s" .Values.image.repository .Values.image.tag | toJson }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
{{- define "memo.database" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ .Values.data.existingSecret | toJson }}, key: database_url}
{{- end }}
{{- define "memo.bucket" -}}
- {name: S3_ENDPOINT, value: {{ .Values.s3.endpoint | toJson }}}
- {name: S3_REGION, value: {{ .Values.s3.region | toJson }}}
- {name: S3_BUCKET, value: {{ .Values.s3.bucket | toJson }}}
- name: S3_ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.data.existingSecret | toJson }}, key: s3_access_key}
- name: S3_SECRET_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.data.existingSecret | toJson }}, key: s3_secret_key}
{{- end }}
