#include "tests/fakes/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

void Demand(bool condition) {
  if (!condition) std::abort();
}

struct CloseFile {
  void operator()(std::FILE* file) const { Demand(std::fclose(file) == 0); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct FreeCrl {
  void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
};
using CrlPointer = std::unique_ptr<X509_CRL, FreeCrl>;

struct FreeTime {
  void operator()(ASN1_TIME* time) const { ASN1_TIME_free(time); }
};
using AsnTime = std::unique_ptr<ASN1_TIME, FreeTime>;

struct FreeInteger {
  void operator()(ASN1_INTEGER* number) const { ASN1_INTEGER_free(number); }
};
using AsnInteger = std::unique_ptr<ASN1_INTEGER, FreeInteger>;

File Create(const std::string& path) {
  File file(std::fopen(path.c_str(), "wx"));
  Demand(file != nullptr);
  return file;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context = {};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Demand(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

TestCertificates::TestCertificates(std::string directory)
    : directory_(std::move(directory)), key_(EVP_EC_gen("P-256")), authority_file_(directory_ + "/ca.crt") {
  Demand(key_ != nullptr);
  certificate_ = Make({.common_name = "test authority", .alternative_names = "", .usage = ""}, key_.get(), true);
  Demand(PEM_write_X509(Create(authority_file_).get(), certificate_.get()) == 1);
}

CertificateFiles TestCertificates::Issue(const Subject& subject) {
  const PrivateKey key(EVP_EC_gen("P-256"));
  Demand(key != nullptr);
  const Certificate certificate = Make(subject, key.get(), false);
  const std::string base = absl::StrCat(directory_, "/", serial_);
  CertificateFiles files{.certificate = base + ".crt", .private_key = base + ".key"};
  Demand(PEM_write_X509(Create(files.certificate).get(), certificate.get()) == 1);
  const File key_file = Create(files.private_key);
  Demand(chmod(files.private_key.c_str(), S_IRUSR | S_IWUSR) == 0);
  Demand(PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return files;
}

void TestCertificates::Revoke(const CertificateFiles& files, const std::string& directory) {
  const File file(std::fopen(files.certificate.c_str(), "r"));
  const Certificate certificate(PEM_read_X509(file.get(), nullptr, nullptr, nullptr));
  Demand(certificate != nullptr);
  const CrlPointer list(X509_CRL_new());
  X509_CRL* const crl = list.get();
  // Of two lists the later one counts.
  const AsnTime now(X509_gmtime_adj(nullptr, static_cast<long>(revoked_.size()) - 60));
  const AsnTime tomorrow(X509_gmtime_adj(nullptr, 24L * 60 * 60));
  Demand(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
  Demand(X509_CRL_set_issuer_name(crl, X509_get_subject_name(certificate_.get())) == 1);
  Demand(X509_CRL_set1_lastUpdate(crl, now.get()) == 1 && X509_CRL_set1_nextUpdate(crl, tomorrow.get()) == 1);
  revoked_.push_back(ASN1_INTEGER_get(X509_get0_serialNumber(certificate.get())));
  for (const long serial : revoked_) {
    const AsnInteger number(ASN1_INTEGER_new());
    X509_REVOKED* const revoked = X509_REVOKED_new();
    Demand(ASN1_INTEGER_set(number.get(), serial) == 1 && X509_REVOKED_set_serialNumber(revoked, number.get()) == 1);
    Demand(X509_REVOKED_set_revocationDate(revoked, now.get()) == 1 && X509_CRL_add0_revoked(crl, revoked) == 1);
  }
  Demand(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, key_.get(), EVP_sha256()) > 0);
  const unsigned long hash = X509_NAME_hash_ex(X509_get_subject_name(certificate_.get()), nullptr, nullptr, nullptr);
  const std::string path = absl::StrCat(directory, "/", absl::Hex(hash, absl::kZeroPad8), ".r", revoked_.size() - 1);
  Demand(PEM_write_X509_CRL(Create(path).get(), crl) == 1);
}

TestCertificates::Certificate TestCertificates::Make(const Subject& subject, EVP_PKEY* key, bool is_authority) {
  Certificate certificate(X509_new());
  X509* const x509 = certificate.get();
  X509* const issuer = is_authority ? x509 : certificate_.get();
  Demand(X509_set_version(x509, X509_VERSION_3) == 1);
  Demand(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial_) == 1);
  const absl::Duration begin = subject.valid_for < absl::ZeroDuration() ? 2 * subject.valid_for : -absl::Hours(1);
  X509_gmtime_adj(X509_getm_notBefore(x509), absl::ToInt64Seconds(begin));
  X509_gmtime_adj(X509_getm_notAfter(x509), absl::ToInt64Seconds(subject.valid_for));
  X509_NAME* const name = X509_get_subject_name(x509);
  const auto* const text = reinterpret_cast<const unsigned char*>(subject.common_name.c_str());
  Demand(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  Demand(X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(x509, key) == 1);
  AddExtension(x509, issuer, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  AddExtension(x509, issuer, NID_key_usage,
               is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  AddExtension(x509, issuer, NID_ext_key_usage, subject.usage);
  AddExtension(x509, issuer, NID_subject_alt_name, subject.alternative_names);
  Demand(X509_sign(x509, is_authority ? key : key_.get(), EVP_sha256()) > 0);
  return certificate;
}

}  // namespace volcrypt
