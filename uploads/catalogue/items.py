"""What is wrong with a file: the input is at fault, and nothing is retried."""

from typing import Final

from uploads.catalogue.entry import Entry

ITEMS: Final[dict[str, Entry]] = {
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
    "office_unreadable": Entry(
        422,
        "“{name}” can't be opened: it is damaged, or needs a password.",
        "Open it in its own program and save it again, without a password.",
    ),
}
