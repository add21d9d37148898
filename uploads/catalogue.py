"""Everything that can go wrong, in words: one catalogue for page, API, admin and docs; no Django.

A code names one error; `uploads.errors` raises it with the values that its sentence needs.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Entry:
    """One catalogue entry: HTTP status, sentence and fix; `{name}` fields are filled in."""

    status: int
    sentence: str
    fix: str


CATALOGUE: Final[dict[str, Entry]] = {
    # --- requests -----------------------------------------------------------
    "not_found": Entry(404, "There is nothing here.", "Check the address, or open your jobs."),
    "not_signed_in": Entry(401, "You are not signed in.", "Sign in, or send a valid API token."),
    "csrf": Entry(
        403, "The form's security token is missing or old.", "Reload the page and send it again."
    ),
    "forbidden": Entry(403, "You may not do this.", "Ask an administrator for the permission."),
    "method_not_allowed": Entry(405, "{method} is not possible here.", "Use one of: {allowed}."),
    "bad_request": Entry(
        400, "The request is not understood: {reason}", "Correct it and send it again."
    ),
    "unknown_field": Entry(400, "The field “{field}” is not known here.", "Known fields: {known}."),
    "invalid_options": Entry(
        400, "An option does not fit: {reason}", "Correct the option and start again."
    ),
    "bad_preset": Entry(400, "This preset can't be kept: {reason}", "Change it and send it again."),
    "bad_names": Entry(
        400, "The names of the results don't work: {reason}", "Correct the pattern, or empty it."
    ),
    "unknown_operation": Entry(
        400, "There is no operation “{operation}”.", "Choose one of: {known}."
    ),
    "no_files": Entry(400, "No file was chosen.", "Choose at least one file."),
    "nothing_fits": Entry(
        400,
        "“{operation}” takes {accepts}; none of the files fit.",
        "Choose another operation or other files.",
    ),
    "too_many_files": Entry(
        400,
        "{count} files are more than the {limit} that one job may have.",
        "Start several jobs, or raise TIDEMILL_JOB_MAX_FILES.",
    ),
    "too_many_jobs": Entry(
        429,
        "You have {count} unfinished jobs; {limit} are allowed.",
        "Wait until one ends, or cancel one.",
    ),
    "too_many_attempts": Entry(429, "Too many tries.", "Wait {minutes} minutes and try again."),
    "body_too_large": Entry(
        413,
        "The request is larger than {limit}.",
        "Send less at once; big files go through the upload area.",
    ),
    "conflict": Entry(
        409, "This is not possible now: {reason}", "Reload the page to see how things stand."
    ),
    "setup_link_invalid": Entry(
        404,
        "This set-up link is used up or too old.",
        "Restart Tidemill; it prints a new link until there is an administrator.",
    ),
    "database_away": Entry(
        503,
        "The database does not answer just now.",
        "Try again in a moment; nothing is lost, and running jobs go on by themselves.",
    ),
    "server_error": Entry(
        500,
        "Something went wrong on the server (reference {reference}).",
        "Try again; if it stays, send the reference to your administrator.",
    ),
    # --- uploads ------------------------------------------------------------
    "upload_expired": Entry(
        410, "The upload of “{name}” is too old and was removed.", "Upload the file again."
    ),
    "upload_too_large": Entry(
        413,
        "“{name}” has {size}; at most {limit} are allowed.",
        "Send a smaller file, or raise TIDEMILL_UPLOAD_MAX_BYTES.",
    ),
    "over_quota": Entry(
        413,
        "“{name}” does not fit into your space: {used} of {quota} are used.",
        "Delete jobs or uploads that you no longer need.",
    ),
    "disk_full": Entry(
        507,
        "The server's disk has no room for this.",
        "Delete old jobs, or ask an administrator to make room; it goes on by itself then.",
    ),
    "disk_short": Entry(
        507,
        "The server's disk is nearly full: uploads and work wait and go on by themselves.",
        "Delete old jobs, or ask an administrator to make room.",
    ),
    "run_folder_full": Entry(
        503,
        "The folder of the processes' sockets (TIDEMILL_RUN_DIR) has no room: work begins late.",
        "Make room on its disk; it goes on by itself.",
    ),
    "upload_missing": Entry(
        400, "The upload {upload} does not exist or is not yours.", "Upload the file again."
    ),
    "upload_removed": Entry(
        400,
        "“{name}” was removed before it had arrived.",
        "Upload the file again and start a new job.",
    ),
    "empty_file": Entry(400, "“{name}” is empty.", "Choose the file again; it has 0 bytes."),
    "checksum_mismatch": Entry(
        460, "The bytes that arrived are not those that were sent.", "Send them again."
    ),
    "tus_version": Entry(
        412, "The upload protocol's version is missing or unknown.", "Send “Tus-Resumable: 1.0.0”."
    ),
    "not_offset_type": Entry(
        415,
        "The body's type is not that of a piece of a file.",
        "Send “Content-Type: application/offset+octet-stream”.",
    ),
    "offset_conflict": Entry(
        409,
        "The piece starts at byte {start}, but {offset} bytes are here.",
        "Ask for the offset and go on from there.",
    ),
    "beyond_length": Entry(
        413,
        "Maximum size exceeded: “{name}” was announced with {length} bytes.",
        "Upload the file again; it has grown.",
    ),
    "upload_busy": Entry(
        423, "Another request is writing to this upload.", "Try again in a moment."
    ),
    "upload_silent": Entry(
        408,
        "No byte came for {seconds} seconds; what came before is kept.",
        "Go on from the offset that the server names.",
    ),
    "file_gone": Entry(
        410,
        "The file “{name}” is gone from the server.",
        "Start the job again, or ask an administrator to restore the files of the backup.",
    ),
    # --- items: the input is at fault, never retried -------------------------
    "not_an_image": Entry(
        400,
        "“{name}” is not an image that can be read.",
        "Open it in an image program and save it again as JPEG or PNG.",
    ),
    "image_too_large": Entry(
        400,
        "“{name}” is {width} × {height} pixels; at most {limit} megapixels are allowed.",
        "Make it smaller first, or raise TIDEMILL_IMAGE_MAX_PIXELS.",
    ),
    "image_damaged": Entry(
        400, "“{name}” is damaged: {reason}", "Fetch the file again from where it came."
    ),
    "not_a_video": Entry(
        400, "“{name}” is not a video that can be read.", "Save it again as MP4, MOV, MKV or WebM."
    ),
    "no_video_stream": Entry(
        400, "“{name}” has no picture track.", "Choose an operation for audio, or another file."
    ),
    "not_a_sound": Entry(
        400,
        "“{name}” is no sound file or video that can be read.",
        "Save it again as MP3, M4A, FLAC or WAV.",
    ),
    "range_outside": Entry(
        400, "“{name}” lasts {duration}; nothing is there at {start}.", "Choose earlier times."
    ),
    "size_unreachable": Entry(
        400,
        "“{name}” lasts {duration}, which does not fit into {size}; it needs about {least}.",
        "Ask for at least that, or take a part of it.",
    ),
    "no_audio_stream": Entry(
        400, "“{name}” has no such sound track: {reason}", "Choose another track, or another file."
    ),
    "too_many_pieces": Entry(
        400,
        "“{name}” would become {count} pieces; at most {limit} are made of one file.",
        "Choose larger pieces.",
    ),
    "media_damaged": Entry(
        400, "“{name}” is damaged: {reason}", "Fetch the file again from where it came."
    ),
    "media_truncated": Entry(
        400,
        "“{name}” ends at {end} of {duration}.",
        "The file is incomplete; fetch it again from where it came.",
    ),
    "media_too_large": Entry(
        400,
        "“{name}” is beyond the limits: {reason}",
        "Choose a smaller file, or ask an administrator to raise the limit.",
    ),
    "media_unsupported": Entry(
        400, "“{name}” holds {reason}, which is not supported.", "Save it again in a common format."
    ),
    "playlist_refused": Entry(
        400,
        "“{name}” is a playlist, not a media file.",
        "Upload the media files that it points to.",
    ),
    "unfit_kind": Entry(
        400,
        "“{name}” is {kind}; “{operation}” takes {accepts}.",
        "Choose an operation that fits this kind of file.",
    ),
    "not_a_table": Entry(
        400,
        "“{name}” is not a table that can be read: {reason}",
        "Save it again as CSV, JSON, Parquet or Excel.",
    ),
    "table_damaged": Entry(
        400,
        "“{name}” can't be read as a table: {reason}",
        "Correct the file, or save it again in the program that it came from.",
    ),
    "rules_broken": Entry(
        422, "“{name}” breaks the rules: {reason}", "Correct the rows, or have them put apart."
    ),
    "no_column": Entry(400, "“{name}” has no column “{column}”.", "There are {known}."),
    "table_too_large": Entry(
        400,
        "“{name}” is beyond the limits: {reason}",
        "Divide it, save it as CSV or Parquet, or ask an administrator to raise the limit.",
    ),
    "sql_refused": Entry(
        400,
        "This is no question to the tables: {reason}",
        "Write SELECT …; several are divided by semicolons.",
    ),
    "sql_wrong": Entry(
        400,
        "The SQL does not work at line {line}, column {column}: {reason}",
        "{near}",
    ),
    "sql_failed": Entry(400, "The question could not be answered: {reason}", "{hint}"),
    "db_refused": Entry(
        400,
        "This is not one question that reads: {reason}",
        "Write one SELECT …, WITH … or VALUES ….",
    ),
    "db_failed": Entry(400, "“{connection}” could not answer: {reason}", "{hint}"),
    "db_denied": Entry(
        403,
        "“{connection}” does not let the mill read that: {reason}",
        "Ask something else, or ask an operator for the right.",
    ),
    "db_login": Entry(
        403,
        "“{connection}” does not let the mill in: {reason}",
        "Tell an operator: its user, password or encryption is no longer right.",
    ),
    "db_timeout": Entry(
        408,
        "“{connection}” worked on the question for more than {limit} and was stopped.",
        "Ask for less at once, or ask an operator for more time.",
    ),
    "db_too_much": Entry(
        413,
        "The answer has more than {limit}, the most that “{connection}” may give.",
        "Ask for less with WHERE or LIMIT, or ask an operator for more.",
    ),
    "db_file": Entry(
        400,
        "The file of “{connection}” can't be read: {reason}",
        "Tell an operator; nothing is wrong with your question.",
    ),
    "db_driver": Entry(
        501,
        "Questions to {kind} need a package that is not installed here.",
        "An operator installs it: pip install 'tidemill[{extra}]'.",
    ),
    "connection_gone": Entry(
        403,
        "The connection “{connection}” is switched off, or no longer open to you.",
        "Choose another one, or ask an operator.",
    ),
    "connection_sealed": Entry(
        500,
        "The password of “{connection}” can't be read any more.",
        "An operator enters it again: the server's secret key or the connection's address changed.",
    ),
    "db_unreachable": Entry(
        502,
        "“{connection}” can't be reached: {reason}",
        "Retry later; if it stays, tell an operator.",
    ),
    "db_lost": Entry(
        502,
        "“{connection}” broke off in the middle: {reason}",
        "Retry; questions only read, so nothing is done twice.",
    ),
    "not_an_archive": Entry(
        400,
        "“{name}” is no archive that can be unpacked here.",
        "ZIP, tar, gzip, bzip2, xz, zstd and 7z can; save it again as one of these.",
    ),
    "archive_damaged": Entry(
        400,
        "“{name}” is damaged, and nothing in it can be read: {reason}",
        "Fetch the archive again from where it came.",
    ),
    "archive_refused": Entry(
        400,
        "“{name}” is built to fill disks: {reason}",
        "If you trust it, unpack it on your own computer.",
    ),
    "archive_too_large": Entry(
        400,
        "“{name}” is beyond the limits: {reason}",
        "Divide it, or ask an administrator to raise the limit.",
    ),
    "archive_encrypted": Entry(
        400,
        "“{name}” is locked with a password.",
        "Unpack it on your own computer; passwords are not taken here, they would be kept.",
    ),
    "archive_empty": Entry(
        400,
        "Nothing came out of “{name}”: {reason}",
        "Look at the names to take and to leave out.",
    ),
    "manifest_unreadable": Entry(
        400,
        "The list of checksums can't be read: {reason}",
        "Choose a list as sha256sum writes it, or one that “Checksums” made.",
    ),
    "not_a_pdf": Entry(
        400, "“{name}” is not a PDF that can be read.", "Save or print it as PDF again."
    ),
    "pdf_damaged": Entry(
        400,
        "“{name}” is damaged: {reason}",
        "Fetch the file again from where it came, or save it again in a PDF program.",
    ),
    "pdf_password": Entry(
        400,
        "“{name}” opens with a password only, and passwords are never asked for here.",
        "Save it without a password in a PDF program, then upload that copy.",
    ),
    "pdf_locked": Entry(
        400,
        "The author of “{name}” does not allow that it is {deed}.",
        "Ask the author for a copy that allows it.",
    ),
    "pdf_no_page": Entry(
        400,
        "“{name}” has {count} pages; there is no page {page}.",
        "Choose pages that it has.",
    ),
    "pdf_no_bookmarks": Entry(
        400, "“{name}” has no bookmarks to be divided at.", "Divide it by pages or by size."
    ),
    "pdf_no_text": Entry(
        400,
        "“{name}” has no text on {count} pages: they are empty or pictures, such as scans.",
        "Run text recognition (OCR) on it first; Tidemill has none.",
    ),
    "decoder_crashed": Entry(
        400,
        "The program that reads “{name}” crashed on it, twice.",
        "The file is probably damaged; save it again in another program.",
    ),
    "nothing_came": Entry(
        422,
        "{name}: nothing came out of the operation before it.",
        "Look at what failed before, and retry that.",
    ),
    "source_gone": Entry(
        410,
        "The uploaded file “{name}” is gone from the server.",
        "Upload it again and start a new job, or ask an administrator to restore it.",
    ),
    "item_cancelled": Entry(400, "“{name}” was cancelled.", "Run it again if you still want it."),
    "verification_failed": Entry(
        500,
        "The result for “{name}” did not match its source: {reason}",
        "Retry; if it stays, report the file to the operators.",
    ),
    # --- steps: our side is at fault -----------------------------------------
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
    "office_unreadable": Entry(
        422,
        "“{name}” can't be opened: it is damaged, or needs a password.",
        "Open it in its own program and save it again, without a password.",
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
