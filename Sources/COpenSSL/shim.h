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
#include <time.h>

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

static inline int colony_name_add(X509_NAME *name, const char *field, const char *utf8) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)utf8, -1, -1, 0);
}

// Adds an extension given in OpenSSL's configuration syntax; both certificates may be the same.
static inline int colony_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) return 0;
    int added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

// A name as people write it, with its letters as they are.
static inline int colony_name_print(BIO *output, const X509_NAME *name) {
    return X509_NAME_print_ex(output, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
}

static inline int colony_set_random_serial(X509 *certificate) {
    BIGNUM *number = BN_new();
    int done = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

static inline GENERAL_NAMES *colony_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int colony_alternative_name_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

// The name at `index`: 1 and its characters for a host name, 2 and its 4 or 16 bytes for an address, 0 for others.
static inline int colony_alternative_name(
    const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *byte_count) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    const ASN1_STRING *text = NULL;
    if (name->type == GEN_DNS) text = name->d.dNSName;
    if (name->type == GEN_IPADD) text = name->d.iPAddress;
    if (text == NULL) return 0;
    *bytes = ASN1_STRING_get0_data(text);
    *byte_count = ASN1_STRING_length(text);
    return name->type == GEN_DNS ? 1 : 2;
}

// A moment as seconds since 1970; -1 if it cannot be read.
static inline int64_t colony_unix_seconds(const ASN1_TIME *moment) {
    struct tm fields;
    memset(&fields, 0, sizeof fields);
    return ASN1_TIME_to_tm(moment, &fields) == 1 ? (int64_t)timegm(&fields) : -1;
}
