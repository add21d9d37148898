"""What went wrong with the work itself: our side is at fault."""

from typing import Final

from uploads.catalogue.entry import Entry

STEPS: Final[dict[str, Entry]] = {
    "step_timeout": Entry(
        500,
        "“{name}” took longer than {limit} and was stopped.",
        "Retry, choose lighter options, or raise the limit.",
    ),
    "out_of_memory": Entry(
        500,
        "“{name}” needed more memory than {limit}.",
        "Choose smaller options, or raise TIDEMILL_MEMORY_MAX_BYTES.",
    ),
    "output_too_large": Entry(
        500,
        "A file made from “{name}” grew beyond {limit}.",
        "Choose options that make smaller results, or raise TIDEMILL_OUTPUT_MAX_BYTES.",
    ),
    "scratch_full": Entry(
        500,
        "“{name}” needed more working space than {limit}.",
        "Choose options that make less, or raise TIDEMILL_SCRATCH_MAX_BYTES.",
    ),
    "too_many_outputs": Entry(
        500,
        "“{name}” was made into more than {limit} files.",
        "Choose options that make fewer files, or raise TIDEMILL_SCRATCH_MAX_FILES.",
    ),
    "too_many_processes": Entry(
        500,
        "The program for “{name}” started more than {limit} processes and was stopped.",
        "Report it to the operation's author, or raise TIDEMILL_PROCESSES_MAX.",
    ),
    "too_many_open": Entry(
        500,
        "The program for “{name}” opened more than {limit} files at once.",
        "Report it to the operation's author.",
    ),
    "worker_lost": Entry(
        500,
        "“{name}” stopped its worker {count} times and was given up.",
        "Retry; if it stays, look at the workers' log.",
    ),
    "tool_failed": Entry(
        500, "{tool} failed: {reason}", "Retry; the log shows the tool's last lines."
    ),
    "operation_bug": Entry(
        500,
        "The operation itself failed on “{name}”: {reason}",
        "Report it to the operation's author; the log has the details.",
    ),
    "operation_says": Entry(422, "{sentence}", "{remedy}"),
    "operation_gone": Entry(
        500,
        "The operation “{operation}” is no longer installed.",
        "Install it again, or start a new job.",
    ),
    "operation_lacks": Entry(
        501,
        "“{operation}” needs what is not installed on this server. {reason}",
        "Ask an operator, then start the job again.",
    ),
    "sandbox_unavailable": Entry(
        500,
        "The sandbox is weaker than this server requires: {reason}",
        "See `manage.py doctor`, or set TIDEMILL_SANDBOX=auto.",
    ),
    "mail_off": Entry(
        400,
        "This server sends no e-mails.",
        "Leave the notification out, or ask an administrator to set TIDEMILL_EMAIL_URL.",
    ),
    "mail_batch_off": Entry(
        403,
        "This server sends no e-mails from tables.",
        "Ask an administrator to set TIDEMILL_MAIL_BATCH=1 and TIDEMILL_EMAIL_URL.",
    ),
    "mail_column": Entry(
        422,
        "“{name}” has no column “{column}”; it has: {known}.",
        "Write the column as its heading has it.",
    ),
    "mail_csv": Entry(
        422, "“{name}” is no CSV that can be read: {reason}", "Save it again as CSV."
    ),
    "mail_no_rows": Entry(
        422, "No row of “{name}” has an e-mail address. {reason}", "Choose another column or table."
    ),
    "mail_too_many": Entry(
        422,
        "“{name}” has more than {limit} addresses.",
        "Divide the table, or ask an administrator to raise TIDEMILL_MAIL_MAX_LETTERS.",
    ),
    "mail_server": Entry(
        500,
        "The mail server takes no e-mails now: {reason}",
        "Retry once it is there again; nobody gets a second letter.",
    ),
    "mail_unknown": Entry(
        500,
        "It is not known whether the e-mail to {recipient} was sent.",
        "Look into the mailbox; send it again if it is not there.",
    ),
    "mail_failed": Entry(
        500,
        "The e-mail to {recipient} was not sent: {reason}",
        "Correct the e-mail settings and send it again.",
    ),
}
