from django.db import migrations

from drdash.audit.chain import BEGINNING, Link


def take_along(apps, schema_editor):
    """What was written so far, entry by entry, as the chain's beginning."""
    entries, old = apps.get_model("audit", "Entry").objects, apps.get_model("failover", "AuditEntry").objects
    previous = BEGINNING
    for number, entry in enumerate(old.order_by("id").iterator(), 1):
        link = Link(
            number=number,
            at=entry.at,
            tenant=entry.tenant_id,
            user=entry.user_id,
            username=entry.username,
            verb=entry.verb,
            action=entry.action_id,
            server_uuid=entry.server_uuid,
            detail=entry.detail,
            previous=previous,
        ).sealed()
        fields = {name: getattr(link, name) for name in link.__struct_fields__ if name != "user"}
        entries.create(user_id=link.user, **fields)
        previous = link.hash


class Migration(migrations.Migration):
    dependencies = [("failover", "0001_initial"), ("audit", "0002_append_only")]

    operations = [
        migrations.RunPython(take_along, migrations.RunPython.noop),
        migrations.DeleteModel("AuditEntry"),
    ]
