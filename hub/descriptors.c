/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"

/*  A connection without a handshake takes 13 KB of memory: with half a million
    descriptors, which systemd allows, strangers could reach the ceiling of
    memory.  The reserve is for each worker's connection to the database and the
    files that this takes, the control socket, the registry's files and a new
    ROUTER.  */
#define LIMIT_MOST 16384
#define RESERVE_LEAST 16
#define RESERVE_MOST 128
#define LINE_MS 60000 /* between two lines of the log */

/*  Global, because libraries call accept4 without a word of ours.  */
static atomic_size_t s_limit, s_reserve; /* 0: not started */
static atomic_ullong s_turned_away;
static atomic_size_t s_highest; /* number that a connection got since a look */
static atomic_llong s_next_line;

/*  The kernel gives the lowest number that is free.  So a number within the
    reserve says that all below it are taken.  */
static int
s_judge (int fd)
{
    size_t limit = atomic_load (&s_limit);
    if (fd < 0 || limit == 0)
        return fd;
    size_t number = (size_t) fd;
    size_t highest = atomic_load (&s_highest);
    while (number > highest
           && !atomic_compare_exchange_weak (&s_highest, &highest, number))
        continue;
    if (number + atomic_load (&s_reserve) < limit)
        return fd;
    close (fd);
    atomic_fetch_add (&s_turned_away, 1);
    errno = ECONNABORTED;
    return -1;
}

static int
s_accept (int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return (int) syscall (SYS_accept4, fd, address, size, flags);
}

int
accept4 (int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    return s_judge (s_accept (fd, address.__sockaddr__, size, flags));
}

int
accept (int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    return s_judge (s_accept (fd, address.__sockaddr__, size, 0));
}

int
hub_descriptors_accept (int fd)
{
    return s_accept (fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/*  glibc's own tcp_info ends before this field, hence the kernel's header.  */
uint64_t
hub_descriptors_received (int fd)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    if (getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

void
hub_descriptors_start (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max > LIMIT_MOST ? LIMIT_MOST
                                                 : limit.rlim_max;
    if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
        sh_log (SH_LOG_NOTICE, "the limit of open files stays low");
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0
        || limit.rlim_cur == RLIM_INFINITY)
        return;
    size_t reserve = (size_t) limit.rlim_cur / 8;
    if (reserve < RESERVE_LEAST)
        reserve = RESERVE_LEAST;
    if (reserve > RESERVE_MOST)
        reserve = RESERVE_MOST;
    atomic_store (&s_reserve, reserve);
    atomic_store (&s_limit, (size_t) limit.rlim_cur);
}

static size_t
s_count (void)
{
    size_t count = 0;
    DIR *directory = opendir ("/proc/self/fd");
    if (!directory)
        return 0;
    for (struct dirent *one; (one = readdir (directory));)
        count += one->d_name[0] != '.';
    closedir (directory);
    return count > 0 ? count - 1 : 0; /* without the directory's own */
}

void
hub_descriptors_read (hub_descriptors_t *out)
{
    *out = (hub_descriptors_t){
        .used = s_count (),
        .limit = atomic_load (&s_limit),
        .reserve = atomic_load (&s_reserve),
        .turned_away = atomic_load (&s_turned_away),
    };
}

/*  Three quarters of what connections may take.  */
static bool
s_is_short (void)
{
    size_t limit = atomic_load (&s_limit);
    size_t room = limit - atomic_load (&s_reserve);
    return limit > 0 && atomic_exchange (&s_highest, 0) >= room / 4 * 3;
}

void
hub_descriptors_watch (int64_t now)
{
    if (!s_is_short () || now < atomic_load (&s_next_line))
        return;
    hub_descriptors_t gauge;
    hub_descriptors_read (&gauge);
    atomic_store (&s_next_line, now + LINE_MS);
    sh_log (SH_LOG_WARNING, "descriptors are short; who connects when none is "
                            "left is turned away",
            SH_INT ("used", gauge.used), SH_INT ("limit", gauge.limit),
            SH_INT ("reserve", gauge.reserve),
            SH_INT ("turned_away", gauge.turned_away),
            SH_STR ("remedy", "raise the limit of open files (LimitNOFILE=), "
                              "or limit connections by address as in "
                              "nftables.example"));
}
