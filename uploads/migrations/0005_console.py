"""What the console asks often is found by an index; its group of those who only look is named Watchers."""

from django.conf import settings
from django.db import migrations, models


def name_watchers(apps, schema_editor):
    """Call the group Viewers of earlier versions Watchers, with its members and rights."""
    groups = apps.get_model("auth", "Group").objects
    if not groups.filter(name="Watchers").exists():
        groups.filter(name="Viewers").update(name="Watchers")


class Migration(migrations.Migration):

    dependencies = [
        ('uploads', '0004_claim'),
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('state', 'succeeded')), fields=['finished_at'], name='item_done'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('state', 'failed')), fields=['finished_at', 'error_code'], name='item_failed'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['name'], name='job_name'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['-priority', '-id'], name='job_priority'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['finished_at'], name='job_finished'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['created_at'], name='job_created'),
        ),
        migrations.AddIndex(
            model_name='step',
            index=models.Index(condition=models.Q(('kind', 'notify'), ('state', 'failed')), fields=['id'], name='unsent'),
        ),
        migrations.RunPython(name_watchers, migrations.RunPython.noop, elidable=True),
        # A job's page asks for the commands that staff gave it; Django's log has no index for that.
        migrations.RunSQL(
            "CREATE INDEX admin_log_object ON django_admin_log (object_id)",
            "DROP INDEX admin_log_object",
        ),
    ]
