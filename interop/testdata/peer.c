// libwebsockets as a peer. `serve` echoes and prints its address; `dial URL...`
// sends every message to each URL, whole and in fragments, and checks what comes
// back.
//
// One message is on its way at a time, in both roles, so each connection has one
// buffer: what was received, with the room in front of it that lws_write wants.

#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECEIVE_BUFFER = 1 << 16, MAX_MESSAGE = 32 << 20 };

static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes, MESSAGES = 2 * SIZES * 2 };

static void die(const char *what) {
	fprintf(stderr, "%s\n", what);
	exit(1);
}

// message is a growing buffer.
struct message {
	unsigned char *p; // LWS_PRE bytes of room, then n of payload
	size_t n, room;
	bool binary;
	bool owed; // its echo; lws may call for a write that nobody asked for
};

static void append(struct message *m, const void *in, size_t n) {
	if (m->n + n > MAX_MESSAGE) die("message too long");
	if (!m->p || m->n + n > m->room) {
		m->room = 2 * (m->n + n) + 1024;
		if (!(m->p = realloc(m->p, LWS_PRE + m->room))) die("out of memory");
	}
	if (n) memcpy(m->p + LWS_PRE + m->n, in, n);
	m->n += n;
}

// receive takes a piece, and says whether the message is complete.
static bool receive(struct lws *wsi, struct message *m, const void *in, size_t n) {
	if (lws_is_first_fragment(wsi)) {
		m->n = 0;
		m->binary = lws_frame_is_binary(wsi);
	}
	append(m, in, n);
	return lws_is_final_fragment(wsi);
}

static int serve_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t n) {
	struct message *m = user;
	switch (why) {
	case LWS_CALLBACK_RECEIVE:
		if (receive(wsi, m, in, n)) m->owed = lws_callback_on_writable(wsi) >= 0;
		break;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		if (!m->owed) break;
		m->owed = false;
		if (lws_write(wsi, m->p + LWS_PRE, m->n, m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT) < 0) return -1;
		break;
	case LWS_CALLBACK_CLOSED:
		free(m->p);
		break;
	default:
		break;
	}
	return 0;
}

// The client's state: which message it is at, and which of its pieces.
static struct {
	int number, piece;
	struct message sent, got;
	bool closed, done;
} client;

static bool in_fragments(void) { return client.number >= MESSAGES / 2; }

static void fill(void) {
	static const unsigned char euro[] = {0xe2, 0x82, 0xac};
	struct message *m = &client.sent;
	size_t n = sizes[client.number / 2 % SIZES];
	m->binary = client.number % 2;
	m->n = 0;
	append(m, NULL, 0);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = m->binary ? i % 251 : 'a' + i % 26;
		append(m, &c, 1);
	}
	if (!m->binary && n >= 3) memcpy(m->p + LWS_PRE, euro, 3);
}

// send_piece writes the next fragment. lws_write overwrites what is in front of it
// and masks in place, so it gets a copy.
static int send_piece(struct lws *wsi) {
	static struct message copy;
	struct message *m = &client.sent;
	size_t third = m->n / 3;
	int pieces = in_fragments() ? 3 : 1, i = client.piece++;
	size_t from = i * third, to = i == pieces - 1 ? m->n : from + third;
	copy.n = 0;
	append(&copy, m->p + LWS_PRE + from, to - from);
	int flags = lws_write_ws_flags(m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, i == 0, i == pieces - 1);
	if (lws_write(wsi, copy.p + LWS_PRE, copy.n, flags) < 0) return -1;
	if (client.piece < pieces) lws_callback_on_writable(wsi);
	return 0;
}

static int next_message(struct lws *wsi) {
	if (client.number == MESSAGES) {
		client.done = true;
		lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, (unsigned char *)"done", 4);
		return -1;
	}
	fill();
	client.piece = 0;
	lws_callback_on_writable(wsi);
	return 0;
}

static void compare(void) {
	struct message *s = &client.sent, *g = &client.got;
	if (s->binary != g->binary || s->n != g->n || memcmp(s->p + LWS_PRE, g->p + LWS_PRE, s->n)) {
		fprintf(stderr, "message %d: %zu bytes came back as %zu others\n", client.number, s->n, g->n);
		exit(1);
	}
}

static int dial_callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t n) {
	(void)user;
	switch (why) {
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		die(in ? in : "cannot connect");
		break;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return next_message(wsi);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		if (client.piece < (in_fragments() ? 3 : 1)) return send_piece(wsi);
		break;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		if (!receive(wsi, &client.got, in, n)) break;
		compare();
		client.number++;
		return next_message(wsi);
	case LWS_CALLBACK_CLIENT_CLOSED:
		client.closed = true;
		break;
	default:
		break;
	}
	return 0;
}

static struct lws_context *create(lws_callback_function *callback, size_t per_session, int port) {
	static struct lws_protocols protocols[2];
	protocols[0] = (struct lws_protocols){.name = "interop", .callback = callback,
		.per_session_data_size = per_session, .rx_buffer_size = RECEIVE_BUFFER};
	lws_set_log_level(LLL_ERR, NULL);
	struct lws_context_creation_info info = {.port = port, .protocols = protocols, .iface = "127.0.0.1",
		.options = LWS_SERVER_OPTION_DISABLE_IPV6};
	if (port == CONTEXT_PORT_NO_LISTEN) info.iface = NULL;
	struct lws_context *context = lws_create_context(&info);
	if (!context) die("cannot create a context");
	return context;
}

static void serve(void) {
	struct lws_context *context = create(serve_callback, sizeof(struct message), 0);
	printf("ws://127.0.0.1:%d\n", lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
	fflush(stdout);
	while (lws_service(context, 0) >= 0) {}
}

static void dial(struct lws_context *context, char *url) {
	const char *scheme, *address, *path;
	int port;
	char absolute[256];
	if (lws_parse_uri(url, &scheme, &address, &port, &path)) die("bad URL");
	snprintf(absolute, sizeof absolute, "/%s", path);
	client.number = client.closed = client.done = 0;
	struct lws_client_connect_info to = {.context = context, .address = address, .port = port, .path = absolute,
		.host = address, .protocol = NULL, .ietf_version_or_minus_one = -1};
	if (!lws_client_connect_via_info(&to)) die("cannot dial");
	while (!client.closed)
		if (lws_service(context, 0) < 0) die("service failed");
	if (!client.done) die("closed too early");
}

int main(int argc, char **argv) {
	if (argc < 2) die("usage: peer serve|dial [URL...]");
	if (!strcmp(argv[1], "serve")) {
		serve();
		return 1;
	}
	struct lws_context *context = create(dial_callback, 0, CONTEXT_PORT_NO_LISTEN);
	for (int i = 2; i < argc; i++) dial(context, argv[i]);
	lws_context_destroy(context);
	puts("ok");
	return 0;
}
