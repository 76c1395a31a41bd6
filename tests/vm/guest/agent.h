/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How the host runs commands in the Debian guest, over a virtio-serial port.
 *
 * Frame: type (1 byte), length of the payload (4, little-endian), payload,
 * AGENT_TRAILER (1 byte). A port has no connections of its own, and either side
 * may have been cut off in the middle of a frame. So the host begins with padding
 * longer than any frame, whose bytes are neither a type nor the trailer: a frame
 * that was left unfinished is completed by it, wrongly, and dropped.
 *
 * One command at a time runs on a port; there are AGENT_PORTS of them.
 */
#ifndef AZS_TESTS_VM_AGENT_H
#define AZS_TESTS_VM_AGENT_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_PORTS 4
#define AGENT_PORT_NAME "org.azs.agent."		/* followed by the number */
#define AGENT_PAYLOAD_MAX 8192
#define AGENT_OVERHEAD 6
#define AGENT_FRAME_MAX (AGENT_PAYLOAD_MAX + AGENT_OVERHEAD)
#define AGENT_PADDING 0xff
#define AGENT_TRAILER 0xa5
#define AGENT_NONCE_BYTES 16
#define AGENT_BOOT_ID_BYTES 36
#define AGENT_SCRIPT_MAX (127 * 1024)		/* an argument of execve(2) */

enum agent_frame {
	/* To the guest. */
	AGENT_HELLO = 'H',	/* nonce; ends what runs on this port */
	AGENT_SCRIPT = 'S',	/* a part of the script */
	AGENT_EXEC = 'E',	/* run it with bash */
	AGENT_STDIN = 'I',
	AGENT_STDIN_END = 'F',
	AGENT_KILL = 'K',	/* SIGKILL to the command and what it started */
	/* To the host. */
	AGENT_WELCOME = 'h',	/* nonce (zeros: the agent has just started), boot id */
	AGENT_STDOUT = 'O',
	AGENT_STDERR = 'R',
	AGENT_EXIT = 'X',	/* 4 bytes: exit status, 128 + signal */
};

struct agent_parser {
	unsigned char buf[AGENT_FRAME_MAX];
	size_t len;
};

/*
 * Takes one byte. Returns the type when it completed a frame (its payload is at
 * buf + 5, *len bytes, until the next call), else 0.
 */
static inline int agent_parse(struct agent_parser *p, unsigned char byte, uint32_t *len)
{
	if (p->len == 0 && byte == AGENT_PADDING)
		return 0;
	p->buf[p->len++] = byte;
	if (p->len < 5)
		return 0;
	*len = p->buf[1] | p->buf[2] << 8 | p->buf[3] << 16 | (uint32_t)p->buf[4] << 24;
	if (*len > AGENT_PAYLOAD_MAX) {
		p->len = 0;
		return 0;
	}
	if (p->len < *len + AGENT_OVERHEAD)
		return 0;
	p->len = 0;
	return byte == AGENT_TRAILER ? p->buf[0] : 0;
}

static inline size_t agent_frame(unsigned char *out, int type, const void *data, uint32_t len)
{
	out[0] = (unsigned char)type;
	for (int i = 0; i < 4; i++)
		out[1 + i] = (unsigned char)(len >> (8 * i));
	__builtin_memcpy(out + 5, data, len);
	out[5 + len] = AGENT_TRAILER;
	return len + AGENT_OVERHEAD;
}

#endif
