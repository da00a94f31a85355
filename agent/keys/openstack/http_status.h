// The status codes that Keystone and Barbican answer with and that mean something of their own.
#pragma once

namespace volcrypt::http_status {

inline constexpr int kOk = 200;
inline constexpr int kCreated = 201;
inline constexpr int kAccepted = 202;
inline constexpr int kNoContent = 204;
inline constexpr int kBadRequest = 400;
inline constexpr int kUnauthorized = 401;
inline constexpr int kForbidden = 403;
inline constexpr int kNotFound = 404;
inline constexpr int kNotAcceptable = 406;
inline constexpr int kConflict = 409;
inline constexpr int kTooLarge = 413;
inline constexpr int kTooManyRequests = 429;
inline constexpr int kFirstServerError = 500;

}  // namespace volcrypt::http_status
