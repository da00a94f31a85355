#include "agent/keys/kmip/tls_errors.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <ctime>

#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

// What the server may refuse us for, and what an operator can do about it.
std::string AlertText(int alert) {
  const char* advice = "";
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      advice = "; it must speak TLS 1.2 or later";
      break;
    case SSL_AD_HANDSHAKE_FAILURE:
    case TLS13_AD_CERTIFICATE_REQUIRED:
      advice = "; check that client_certificate is set and that both sides have a cipher in common";
      break;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
      advice = "; check client_certificate: its issuer, its dates and its usage (clientAuth)";
      break;
    default:
      break;
  }
  return absl::StrCat("the server refused with TLS alert \"", SSL_alert_desc_string_long(alert), "\"", advice);
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    return AlertText(reason - SSL_AD_REASON_OFFSET);
  }
  const char* const text = ERR_reason_error_string(error);
  return text == nullptr ? absl::StrCat("OpenSSL error ", error) : text;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&parts));
}

}  // namespace volcrypt
