from django.db import migrations


def take_along(apps, schema_editor):
    """What was written so far, entry by entry."""
    entry, old = apps.get_model("audit", "Entry"), apps.get_model("failover", "AuditEntry")
    kept = old.objects.order_by("id").values_list(
        "at", "tenant_id", "user_id", "username", "verb", "action_id", "server_uuid", "detail"
    )
    fields = ("at", "tenant", "user_id", "username", "verb", "action", "server_uuid", "detail")
    entry.objects.bulk_create((entry(**dict(zip(fields, row))) for row in kept.iterator()), batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("failover", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        migrations.RunPython(take_along, migrations.RunPython.noop),
        migrations.DeleteModel("AuditEntry"),
    ]
