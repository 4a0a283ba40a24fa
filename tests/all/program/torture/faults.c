/* Between the program and the C library (LD_PRELOAD): everything that changes what is on the disk below FAULTS_FOLDER.
 *
 * FAULTS_JOURNAL=FILE   every call that succeeded, in order, with its data: "CALL NUMBER LENGTH PATH\n", then LENGTH bytes;
 *                       the number of a write is its offset, of a truncation the length, of a new or synced file its inode
 * FAULTS_AT=N           at the Nth such call, counted from 0, what FAULTS_MODE says happens:
 *                       kill_half (half of a write; nothing of other calls), kill_after, eio,
 *                       full (no space, from then on, for what is written or created)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* One call after the other, so that the journal has the order in which things happened. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static long calls;

static int concerns(const char *path) {
    const char *folder = getenv("FAULTS_FOLDER");
    size_t length = folder ? strlen(folder) : 0;
    return length && path && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static const char *path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlink, link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static long inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : (long)found.st_ino;
}

static int is_mode(const char *mode) {
    const char *asked = getenv("FAULTS_MODE");
    return asked && !strcmp(asked, mode);
}

static void end(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether this call is the one, or behind it where the disk is full; holds the turn until done(). */
static int due(void) {
    pthread_mutex_lock(&turn);
    const char *at = getenv("FAULTS_AT");
    long call = calls++;
    return at && (call == atol(at) || (is_mode("full") && call > atol(at)));
}

static int fails(const char *call) {
    int takes_space = !strcmp(call, "write") || !strcmp(call, "mkdir") || !strncmp(call, "open", 4);
    errno = is_mode("full") ? ENOSPC : EIO;
    return is_mode("eio") || (is_mode("full") && takes_space);
}

static void done(const char *call, const char *path, long number, const void *data, size_t length) {
    int kept = errno;
    const char *journal = getenv("FAULTS_JOURNAL");
    if (journal && call) {
        char line[4400];
        int size = snprintf(line, sizeof line, "%s %ld %zu %s\n", call, number, length, path);
        int fd = syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_APPEND | O_CREAT, 0644);
        struct iovec parts[] = {{line, size}, {(void *)data, length}};
        if (fd < 0 || syscall(SYS_writev, fd, parts, 2) != (long)(size + length)) abort();
        syscall(SYS_close, fd);
    }
    pthread_mutex_unlock(&turn);
    errno = kept;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    char path[4200];
    if (fd <= 2 || !concerns(path_of(fd, path, sizeof path))) return real(fd, data, length);
    int now = due();
    if (now && is_mode("kill_half")) {
        syscall(SYS_write, fd, data, length / 2);
        end();
    }
    if (now && fails("write")) {
        done(NULL, path, 0, NULL, 0);
        return -1;
    }
    ssize_t written = real(fd, data, length);
    if (now && is_mode("kill_after")) end();
    long offset = syscall(SYS_lseek, fd, 0, SEEK_CUR) - written;
    done(written < 0 ? NULL : "write", path, offset, data, written < 0 ? 0 : written);
    return written;
}

/* The program writes from one buffer at a time, so that half of it is well defined. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    char path[4200];
    if (fd <= 2 || !count || !concerns(path_of(fd, path, sizeof path))) return real(fd, parts, count);
    int filled = 0;
    while (filled < count - 1 && !parts[filled].iov_len) filled++;
    return write(fd, parts[filled].iov_base, parts[filled].iov_len);
}

/* A call without data on `path`, of which only success and failure are told apart. */
#define CALL(name, path, arguments, journaled) \
    do { \
        int now = due(); \
        if (now && is_mode("kill_half")) end(); \
        if (now && fails(#name)) { \
            done(NULL, path, 0, NULL, 0); \
            return -1; \
        } \
        int result = real arguments; \
        if (now && is_mode("kill_after")) end(); \
        journaled; \
        return result; \
    } while (0)
#define OF_PATH(name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        if (!concerns(path)) return real arguments; \
        CALL(name, path, arguments, done(result < 0 ? NULL : #name, path, 0, NULL, 0)); \
    }
#define OF_FILE(name, journaled, parameters, arguments, number) \
    int name parameters { \
        REAL(name); \
        char path[4200]; \
        if (!concerns(path_of(fd, path, sizeof path))) return real arguments; \
        CALL(name, path, arguments, done(result < 0 ? NULL : journaled, path, number, NULL, 0)); \
    }

OF_PATH(unlink, (const char *path), (path))
OF_PATH(rmdir, (const char *path), (path))
OF_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
OF_FILE(fsync, "sync", (int fd), (fd), inode_of(fd))
OF_FILE(fdatasync, "sync", (int fd), (fd), inode_of(fd))
OF_FILE(ftruncate, "truncate", (int fd, off_t length), (fd, length), length)
OF_FILE(ftruncate64, "truncate", (int fd, off64_t length), (fd, length), length)

int rename(const char *from, const char *path) {
    REAL(rename);
    if (!concerns(path)) return real(from, path);
    CALL(rename, path, (from, path), done(result < 0 ? NULL : "rename", from, 0, path, strlen(path)));
}

int unlinkat(int folder, const char *name, int flags) {
    REAL(unlinkat);
    char path[8400];
    snprintf(path, sizeof path, "%s", name);
    if (name[0] != '/' && folder != AT_FDCWD) {
        path_of(folder, path, sizeof path);
        snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
    }
    if (!concerns(path)) return real(folder, name, flags);
    const char *call = flags & AT_REMOVEDIR ? "rmdir" : "unlink";
    CALL(unlinkat, path, (folder, name, flags), done(result < 0 ? NULL : call, path, 0, NULL, 0));
}

/* Not here: the program then reads and writes, which is seen. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    (void)in, (void)from, (void)out, (void)to, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) {
    (void)out, (void)in, (void)offset, (void)count;
    errno = ENOSYS;
    return -1;
}

/* Only what creates or empties a file. */
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = va_arg(more, mode_t); \
        va_end(more); \
        int is_new = flags & O_CREAT && access(path, F_OK); \
        if (!concerns(path) || !(is_new || flags & O_TRUNC)) return real(path, flags, mode); \
        CALL(name, path, (path, flags, mode), \
             done(result < 0 ? NULL : is_new ? "create" : "truncate", path, is_new ? inode_of(result) : 0, NULL, 0)); \
    }
OPEN(open)
OPEN(open64)
