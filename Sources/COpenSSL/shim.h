// OpenSSL's C interface, plus functions in place of the macros that Swift cannot import.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

// --- contexts ---------------------------------------------------------------------------------------------------

static inline int colony_ssl_ctx_set_versions(SSL_CTX *context, int version_min, int version_max) {
    return SSL_CTX_set_min_proto_version(context, version_min) == 1 &&
           SSL_CTX_set_max_proto_version(context, version_max) == 1;
}

// What every context of ours has in common: no renegotiation, no compression, no session cache, and small records
// are written at once.
static inline void colony_ssl_ctx_harden(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static inline void colony_ssl_ctx_release_idle_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

// Post-handshake tickets are of no use to connections that live as long as their processes.
static inline void colony_ssl_ctx_disable_tickets(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
}

// A key that needs a password is refused; OpenSSL would otherwise ask on the terminal and wait.
static int colony_refuse_password(char *buffer, int size, int writing, void *argument) {
    (void)buffer, (void)size, (void)writing, (void)argument;
    return -1;
}

static inline void colony_ssl_ctx_refuse_passwords(SSL_CTX *context) {
    SSL_CTX_set_default_passwd_cb(context, colony_refuse_password);
}

static inline EVP_PKEY *colony_read_private_key(BIO *input) {
    return PEM_read_bio_PrivateKey(input, NULL, colony_refuse_password, NULL);
}

static inline int colony_ssl_set_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

// --- application-layer protocol negotiation ---------------------------------------------------------------------

// Protocols in wire form (each with a length byte before it), the server's favourite first.
typedef struct {
    unsigned char *protocols;
    unsigned int byte_count;
} colony_alpn_list;

// No protocol in common: the connection goes on without one, and the server speaks its oldest.
static int colony_alpn_select(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_byte_count, const unsigned char *offered,
    unsigned int offered_byte_count, void *argument) {
    (void)ssl;
    const colony_alpn_list *list = (const colony_alpn_list *)argument;
    unsigned char *match = NULL;
    int outcome = SSL_select_next_proto(
        &match, chosen_byte_count, list->protocols, list->byte_count, offered, offered_byte_count);
    *chosen = match;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// `list` must outlive the context.
static inline void colony_ssl_ctx_set_alpn_server(SSL_CTX *context, colony_alpn_list *list) {
    SSL_CTX_set_alpn_select_cb(context, colony_alpn_select, list);
}

// --- memory BIOs ------------------------------------------------------------------------------------------------

static inline size_t colony_bio_pending(BIO *bio) { return BIO_ctrl_pending(bio); }

// The bytes that wait in a memory BIO, without copying them; valid until the BIO is used again.
static inline const unsigned char *colony_bio_peek(BIO *bio, size_t *byte_count) {
    char *bytes = NULL;
    long count = BIO_get_mem_data(bio, &bytes);
    *byte_count = count > 0 ? (size_t)count : 0;
    return (const unsigned char *)bytes;
}

static inline void colony_bio_clear(BIO *bio) { (void)BIO_reset(bio); }

// --- certificates -----------------------------------------------------------------------------------------------

static inline EVP_PKEY *colony_generate_key(void) { return EVP_EC_gen("P-256"); }
