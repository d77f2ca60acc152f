"""Lets the OpenAPI schema be made of msgspec's types."""

from inspect import cleandoc
from typing import Any

import msgspec
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A Struct as a component of its name; what it is made of as components of theirs."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Any) -> str:
        # A type may be met as a part of another first, when only its name is at hand: that is no collision.
        set_override(self.target, "suppress_collision_warning", True)
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        _, components = msgspec.json.schema_components([self.target], ref_template="#/components/schemas/{name}")
        for schema in components.values():
            if "description" in schema:
                schema["description"] = cleandoc(schema["description"])
        own: dict[str, Any] = components.pop(self.target.__name__)
        for name, schema in components.items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
            )
            auto_schema.registry.register_on_missing(component)
        return own
