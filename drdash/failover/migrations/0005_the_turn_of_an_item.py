from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('failover', '0004_what_surrounds_an_action'),
    ]

    operations = [
        migrations.AddField(
            model_name='batch',
            name='key',
            field=models.CharField(default='', help_text='Of the pre-flight that was confirmed: it makes one batch.', max_length=100),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='item',
            name='acknowledged',
            field=models.JSONField(default=list, help_text='The codes that were nodded to for this one.'),
        ),
        migrations.AddField(
            model_name='item',
            name='taken_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.UniqueConstraint(fields=('user', 'key'), name='one_batch_per_key'),
        ),
    ]
