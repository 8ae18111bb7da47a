/*
 * Stands between an unmodified program and its disk: counts every fsync and fdatasync of the process, makes each take
 * longer, or ends the process at one of them. Loaded with LD_PRELOAD; does nothing unless told to by the environment:
 *
 *   COUNTERSIGN_FSYNC_COUNT     a file of eight bytes in which the count is kept (native order); made if it is not there
 *   COUNTERSIGN_FSYNC_DELAY_US  so many microseconds more for each: an ordinary disk on a machine that has a better one
 *   COUNTERSIGN_FSYNC_KILL_AT   the count at which the process is killed (SIGKILL) before anything is synced
 *   COUNTERSIGN_FSYNC_KILL_HOW  "after": killed once the data is on the disk, before the program is told
 *
 * Must hold: the count goes on over a restart, since it is kept in the file; several threads and processes may share
 * it; a program that was not linked with this behaves the same but for time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int (*sync_call)(int);

static sync_call real_fsync;
static sync_call real_fdatasync;
static _Atomic uint64_t *count;
static uint64_t kill_at;
static int kill_after;
static long delay_us;
static pthread_once_t told = PTHREAD_ONCE_INIT;

static _Atomic uint64_t *kept_in(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(uint64_t)) != 0) abort();
    void *page = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    close(file);
    return page;
}

static void be_told(void) {
    static _Atomic uint64_t own;
    real_fsync = (sync_call)dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (sync_call)dlsym(RTLD_NEXT, "fdatasync");
    if (real_fsync == NULL || real_fdatasync == NULL) abort();
    const char *path = getenv("COUNTERSIGN_FSYNC_COUNT");
    const char *delay = getenv("COUNTERSIGN_FSYNC_DELAY_US");
    const char *at = getenv("COUNTERSIGN_FSYNC_KILL_AT");
    const char *how = getenv("COUNTERSIGN_FSYNC_KILL_HOW");
    count = path != NULL ? kept_in(path) : &own;
    delay_us = delay != NULL ? strtol(delay, NULL, 10) : 0;
    kill_at = at != NULL ? strtoull(at, NULL, 10) : 0;
    kill_after = how != NULL && strcmp(how, "after") == 0;
}

static int synced(int file, int data_only) {
    pthread_once(&told, be_told);
    uint64_t here = atomic_fetch_add(count, 1) + 1;
    int fatal = kill_at != 0 && here == kill_at;
    if (fatal && !kill_after) kill(getpid(), SIGKILL);
    if (delay_us > 0) {
        struct timespec longer = {delay_us / 1000000, (delay_us % 1000000) * 1000};
        while (nanosleep(&longer, &longer) != 0) {
        }
    }
    int result = data_only ? real_fdatasync(file) : real_fsync(file);
    if (fatal) kill(getpid(), SIGKILL);
    return result;
}

int fsync(int file) { return synced(file, 0); }

int fdatasync(int file) { return synced(file, 1); }
