/* A file system that forgets: journals what is done below a folder, so that a power cut can be replayed.
 *
 * Preloaded (LD_PRELOAD) into every process of a server. Each write, truncation, name and sync below
 * $FORGETFUL_ROOT is appended to $FORGETFUL_JOURNAL, in the order in which it happened: changes before
 * they are made, syncs after they are done. What bypasses libc (other programs' own copies of it) is
 * seen when the file is synced: files below scratch/ are journaled whole then.
 *
 * A record: one text line "KIND INODE A B|PATH|PATH2\n", for W and F followed by B bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 4096
static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
static ino_t tracked[MAX_FD];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;


__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FORGETFUL_ROOT"), *path = getenv("FORGETFUL_JOURNAL");
    if (!folder || !path) return;
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    int made = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0) return;
    journal = fcntl(made, F_DUPFD_CLOEXEC, 900); /* out of the way of programs that close their own */
    syscall(SYS_close, made);
}

/* The path below the root, or NULL; symbolic links are followed for the folder only. */
static const char *below(int dir, const char *path, char *buffer) {
    char whole[PATH_MAX * 2], folder[PATH_MAX];
    if (journal < 0 || !path) return NULL;
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else {
        char link[64];
        ssize_t n;
        if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        n = readlink(link, folder, sizeof folder - 1);
        if (n < 0) return NULL;
        folder[n] = 0;
        snprintf(whole, sizeof whole, "%s/%s", folder, path);
    }
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    if (strncmp(whole, root, root_length)) return NULL;
    if (whole[root_length] == 0) snprintf(buffer, PATH_MAX, ".");
    else if (whole[root_length] == '/') snprintf(buffer, PATH_MAX, "%s", whole + root_length + 1);
    else return NULL;
    length = strlen(buffer);
    if (length > 4 && !strcmp(buffer + length - 4, "-shm")) return NULL; /* rebuilt from the log */
    return buffer;
}

static void put(char kind, ino_t inode, long long a, long long b, const char *path, const char *path2,
                const void *data, size_t size) {
    char head[PATH_MAX * 2 + 128];
    int length = snprintf(head, sizeof head, "%c %llu %lld %lld|%s|%s\n", kind,
                          (unsigned long long)inode, a, b, path ? path : "", path2 ? path2 : "");
    struct iovec parts[2] = {{head, length}, {(void *)data, size}};
    int saved = errno;
    pthread_mutex_lock(&mutex);
    syscall(SYS_writev, journal, parts, size ? 2 : 1); /* O_APPEND: whole and in one place */
    pthread_mutex_unlock(&mutex);
    errno = saved;
}

static ino_t inode_of(int fd) {
    struct stat status;
    if (fd < 0 || fd >= MAX_FD || !tracked[fd]) return 0;
    int saved = errno;
    if (fstat(fd, &status) || status.st_ino != tracked[fd]) tracked[fd] = 0;
    errno = saved;
    return tracked[fd];
}

static int opened(int dir, const char *path, int flags, mode_t mode) {
    char name[PATH_MAX];
    struct stat status;
    const char *mine = below(dir, path, name);
    int saved = errno;
    int existed = mine && !fstatat(dir, path, &status, 0);
    errno = saved;
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    if (fd < 0 || fd >= MAX_FD) return fd;
    tracked[fd] = 0;
    if (!mine || fstat(fd, &status)) return fd;
    tracked[fd] = status.st_ino;
    if (S_ISDIR(status.st_mode)) put('D', status.st_ino, 0, 0, mine, NULL, NULL, 0);
    else if (!existed && (flags & O_CREAT)) put('C', status.st_ino, 0, 0, mine, NULL, NULL, 0);
    else {
        put('O', status.st_ino, 0, status.st_size, mine, NULL, NULL, 0);
        if (flags & O_TRUNC) put('T', status.st_ino, 0, 0, mine, NULL, NULL, 0);
    }
    return fd;
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { \
    va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags | O_LARGEFILE, mode); }

static void wrote(int fd, const void *data, size_t size, long long offset) {
    ino_t inode = inode_of(fd);
    if (!inode || !size) return;
    if (offset < 0) {
        struct stat status;
        offset = lseek(fd, 0, SEEK_CUR);
        if ((fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &status)) offset = status.st_size;
    }
    put('W', inode, offset, size, NULL, NULL, data, size);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (journal >= 0) wrote(fd, data, size, -1);
    return syscall(SYS_write, fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    if (journal >= 0) wrote(fd, data, size, offset);
    return syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

int ftruncate64(int fd, off64_t size) {
    ino_t inode = journal >= 0 ? inode_of(fd) : 0;
    if (inode) put('T', inode, size, 0, NULL, NULL, NULL, 0);
    return syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static void synced(int fd) {
    char name[PATH_MAX], link[64], target[PATH_MAX];
    struct stat status;
    if (journal < 0 || !inode_of(fd)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0 || fstat(fd, &status)) return;
    target[n] = 0;
    const char *mine = below(AT_FDCWD, target, name);
    if (mine && !strncmp(mine, "scratch/", 8) && S_ISREG(status.st_mode)) {
        char *data = malloc(status.st_size + 1);
        ssize_t size = data ? syscall(SYS_pread64, fd, data, status.st_size, 0) : -1;
        if (size >= 0) put('F', status.st_ino, 0, size, mine, NULL, data, size);
        free(data);
        return;
    }
    put('S', status.st_ino, 0, 0, mine ? mine : "", NULL, NULL, 0);
}

int fsync(int fd) {
    int result = syscall(SYS_fsync, fd);
    if (!result) synced(fd);
    return result;
}
int fdatasync(int fd) {
    int result = syscall(SYS_fdatasync, fd);
    if (!result) synced(fd);
    return result;
}

static int moved(int from, const char *old, int to, const char *new, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    struct stat status;
    const char *first = below(from, old, a), *second = below(to, new, b);
    ino_t inode = (first || second) && !fstatat(from, old, &status, AT_SYMLINK_NOFOLLOW) ? status.st_ino : 0;
    if (inode) put('R', inode, 0, 0, first, second, NULL, 0);
    return syscall(SYS_renameat2, from, old, to, new, flags);
}
int rename(const char *old, const char *new) { return moved(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return moved(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) { return moved(from, old, to, new, flags); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    char b[PATH_MAX];
    struct stat status;
    const char *second = below(to, new, b);
    int result = syscall(SYS_linkat, from, old, to, new, flags);
    if (!result && second && !fstatat(to, new, &status, 0)) put('L', status.st_ino, 0, 0, second, NULL, NULL, 0);
    return result;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

static void gone(int dir, const char *path) {
    char a[PATH_MAX];
    const char *mine = below(dir, path, a);
    if (mine) put('U', 0, 0, 0, mine, NULL, NULL, 0);
}
int unlinkat(int dir, const char *path, int flags) {
    int result = syscall(SYS_unlinkat, dir, path, flags);
    if (!result) gone(dir, path);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int dir, const char *path, mode_t mode) {
    char a[PATH_MAX];
    struct stat status;
    const char *mine = below(dir, path, a);
    int result = syscall(SYS_mkdirat, dir, path, mode);
    if (!result && mine && !fstatat(dir, path, &status, 0)) put('M', status.st_ino, 0, 0, mine, NULL, NULL, 0);
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
