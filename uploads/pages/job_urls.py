"""The doors of jobs and results."""

from django.urls import path

from uploads.pages import job, job_commands, leaves, play, results, retry_with
from uploads.pages.state import state
from uploads.pages.views import presets

urlpatterns = [
    path("jobs/<key>/", job.job_page, name="job"),
    path("jobs/<key>/state", state, name="job-state"),
    path("jobs/<key>/log.txt", job.job_log, name="job-log"),
    path("jobs/<key>/cancel/", job_commands.cancel, name="job-cancel"),
    path("jobs/<key>/pause/", job_commands.pause, name="job-pause"),
    path("jobs/<key>/resume/", job_commands.resume, name="job-resume"),
    path("jobs/<key>/retry/", job_commands.retry, name="job-retry"),
    path("jobs/<key>/retry-with/", retry_with.retry_with_options, name="job-retry-with"),
    path("jobs/<key>/run-all/", job_commands.run_all, name="job-run-all"),
    path("jobs/<key>/keep-preset/", presets.keep_from_job, name="job-keep-preset"),
    path("jobs/<key>/notify/", job_commands.notify, name="job-notify"),
    path("jobs/<key>/notify-again/", job_commands.notify_again, name="job-notify-again"),
    path("jobs/<key>/resend/", job_commands.resend_message, name="job-resend"),
    path("jobs/<key>/trial/", job_commands.trial, name="job-trial"),
    path("jobs/<key>/delete/", job_commands.delete, name="job-delete"),
    path("jobs/<key>/results/", results.gallery, name="job-results"),
    path("jobs/<key>/results.zip", results.archive, name="job-archive"),
    path("jobs/<key>/watch/<int:place>/", play.watch, name="watch"),
    path("jobs/<key>/watch/<int:place>/<name>", play.stream, name="stream"),
    path("results/<key>/content", results.content, name="result-content"),
    path("results/<key>/rows/", leaves.rows, name="result-rows"),
    path("results/<key>/original", results.original, name="result-original"),
]
