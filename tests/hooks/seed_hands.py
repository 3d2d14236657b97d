"""The hands of an administrator at a PostgreSQL that seeds are written to: the tables of an application like Onyx."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from kiwi_core._model.secrets import SecretKey
from psycopg import sql
from testbed.postgres import Postgres

__all__ = [
    "API_KEY",
    "DATABASE",
    "EMPTY",
    "NEXT_API_KEY",
    "PASSWORD",
    "READER",
    "ROLE",
    "SECRETS",
    "WEAK",
    "WRONG",
    "Hands",
]

DATABASE = "seeded"
ROLE, READER = "seeder", "seed_reader"
PASSWORD, WRONG, WEAK = (SecretKey("onyx-db", name) for name in ("password", "wrong", "weak"))
API_KEY, NEXT_API_KEY = SecretKey("onyx-llm", "key"), SecretKey("onyx-llm", "next")
SECRETS = {
    PASSWORD: "0f2b1c9a77de4c1a",
    WRONG: "not-the-password",
    WEAK: "d41d8cd98f00b204",
    API_KEY: "sk-3c363836cf4e16666669a25da280a186",
    NEXT_API_KEY: "sk-1f3870be274f6c49b3e31a0c6728957f",
}
SCHEMA: LiteralString = """
    CREATE TYPE flow AS ENUM ('CHAT', 'VISION');
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('f220515df7b4');
    CREATE TABLE llm_provider (
        id serial PRIMARY KEY, name text, provider varchar(40) NOT NULL, api_base text, api_key text,
        custom_config jsonb, groups text[], weight real, created timestamptz NOT NULL
    );
    CREATE TABLE model_configuration (
        id serial PRIMARY KEY, llm_provider_id integer NOT NULL REFERENCES llm_provider ON DELETE CASCADE,
        name text NOT NULL, is_visible boolean NOT NULL, max_input_tokens integer, UNIQUE (llm_provider_id, name)
    );
    CREATE TABLE llm_model_flow (
        id serial PRIMARY KEY, model_configuration_id integer NOT NULL REFERENCES model_configuration ON DELETE CASCADE,
        llm_model_flow_type flow NOT NULL, is_default boolean NOT NULL DEFAULT false
    );
    CREATE UNIQUE INDEX one_default ON llm_model_flow (llm_model_flow_type) WHERE is_default;
    CREATE TABLE "MixedCase" ("Key" text PRIMARY KEY, "Value" json);
"""
EMPTY: LiteralString = """
    TRUNCATE llm_provider, model_configuration, llm_model_flow, "MixedCase" CASCADE;
    DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('f220515df7b4');
"""


class Hands:
    """An administrator's own hands."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def do(self, *statements: LiteralString, database: str = DATABASE) -> None:
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement)

    # Any: rows of whatever columns.
    def ask(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        with self.connect(DATABASE) as connection:
            return connection.execute(query, parameters).fetchall()

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.admin_user,
            password=self.server.admin_password,
            dbname=database,
            autocommit=True,
        )

    def set_up(self) -> None:
        """A role and its database, with the application's tables; another role that may only read them."""
        self.tear_down()
        with self.connect("postgres") as connection:
            for role, key in ((ROLE, PASSWORD), (READER, WEAK)):
                made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                connection.execute(made.format(sql.Identifier(role), sql.Literal(SECRETS[key])))
            connection.execute("CREATE DATABASE seeded OWNER seeder")
        self.do("SET ROLE seeder; " + SCHEMA + "GRANT SELECT ON ALL TABLES IN SCHEMA public TO seed_reader")

    def tear_down(self) -> None:
        self.do("DROP DATABASE IF EXISTS seeded WITH (FORCE)", database="postgres")
        self.do("DROP ROLE IF EXISTS seeder", "DROP ROLE IF EXISTS seed_reader", database="postgres")
