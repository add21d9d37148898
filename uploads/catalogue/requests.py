"""What is wrong with a request or an upload."""

from typing import Final

from uploads.catalogue.entry import Entry

REQUESTS: Final[dict[str, Entry]] = {
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
}
