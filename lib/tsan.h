/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory that goes from one thread to another by a ZeroMQ socket.  The socket
    orders the two, but ThreadSanitizer cannot see into libzmq: the side that
    gives says so before it sends, the other one after it has received.  Nothing
    in other builds.  */

#ifndef SH_TSAN_H
#define SH_TSAN_H

#ifndef __SANITIZE_THREAD__
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#endif

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define SH_TSAN_GIVE(at) __tsan_release (at)
#define SH_TSAN_TAKE(at) __tsan_acquire (at)
#else
#define SH_TSAN_GIVE(at) ((void) 0)
#define SH_TSAN_TAKE(at) ((void) 0)
#endif

#endif
