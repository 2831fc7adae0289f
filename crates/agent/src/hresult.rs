//! Agent: the error codes a Windows Update Agent writes to its log and sends in events. Administrators
//! search for these numbers, so every failure here has the one a real agent would show.

use core::fmt;

/// An HRESULT (MS-ERREF 2.1). Displays as `0x` and eight upper-case digits, as agents log it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HResult(pub u32);

impl HResult {
    /// Success.
    pub const OK: Self = Self(0);
    /// WU_E_PT_SOAPCLIENT_PARSEFAULT: a fault came, and could not be read.
    pub const SOAP_PARSE_FAULT: Self = Self(0x8024_4008);
    /// WU_E_PT_SOAPCLIENT_PARSE: an answer came, and could not be read.
    pub const SOAP_PARSE: Self = Self(0x8024_400A);
    /// WU_E_PT_SOAP_CLIENT: a fault that blames the client.
    pub const SOAP_CLIENT: Self = Self(0x8024_400D);
    /// WU_E_PT_SOAP_SERVER: a fault that blames the server.
    pub const SOAP_SERVER: Self = Self(0x8024_400E);
    /// WU_E_PT_EXCEEDED_MAX_SERVER_TRIPS: 200 round trips and the scan is not done.
    pub const EXCEEDED_MAX_SERVER_TRIPS: Self = Self(0x8024_4010);
    /// WU_E_PT_REFRESH_CACHE_REQUIRED: the server asked again and again for a new handshake.
    pub const REFRESH_CACHE_REQUIRED: Self = Self(0x8024_4015);
    /// WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL: HTTP 503.
    pub const HTTP_SERVICE_UNAVAILABLE: Self = Self(0x8024_4022);
    /// WU_E_PT_FILE_LOCATIONS_CHANGED.
    pub const FILE_LOCATIONS_CHANGED: Self = Self(0x8024_4025);
    /// WU_E_PT_REGISTRATION_NOT_SUPPORTED: registered, and still asked to register.
    pub const REGISTRATION_NOT_SUPPORTED: Self = Self(0x8024_4026);
    /// WU_E_PT_NO_AUTH_PLUGINS_REQUESTED: GetConfig named no way to authenticate that we know.
    pub const NO_AUTH_PLUGINS_REQUESTED: Self = Self(0x8024_4027);
    /// WU_E_PT_HTTP_STATUS_NOT_MAPPED: an HTTP status without a code of its own.
    pub const HTTP_STATUS_NOT_MAPPED: Self = Self(0x8024_402B);
    /// HRESULT_FROM_WIN32(ERROR_WINHTTP_TIMEOUT).
    pub const TIMEOUT: Self = Self(0x8007_2EE2);
    /// HRESULT_FROM_WIN32(ERROR_WINHTTP_INVALID_URL).
    pub const INVALID_URL: Self = Self(0x8007_2EE5);
    /// HRESULT_FROM_WIN32(ERROR_WINHTTP_NAME_NOT_RESOLVED).
    pub const NAME_NOT_RESOLVED: Self = Self(0x8007_2EE7);
    /// HRESULT_FROM_WIN32(ERROR_WINHTTP_CANNOT_CONNECT).
    pub const CANNOT_CONNECT: Self = Self(0x8007_2EFD);
    /// HRESULT_FROM_WIN32(ERROR_WINHTTP_CONNECTION_ERROR): the connection broke.
    pub const CONNECTION_ERROR: Self = Self(0x8007_2EFE);
    /// WU_E_DM_URLNOTAVAILABLE: the server gave no location for a file.
    pub const URL_NOT_AVAILABLE: Self = Self(0x8024_6001);
    /// WU_E_DM_INCORRECTFILEHASH: a downloaded file is not what the metadata says.
    pub const INCORRECT_FILE_HASH: Self = Self(0x8024_6002);
    /// WU_E_DM_NOTDOWNLOADED: install asked for, files not there (observed in 182 after 161).
    pub const NOT_DOWNLOADED: Self = Self(0x8024_6007);
    /// WU_E_UH_INSTALLERFAILURE: an installer said it failed.
    pub const INSTALLER_FAILURE: Self = Self(0x8024_2006);
    /// WU_S_REBOOT_REQUIRED, 2359301 in event 201 (observed).
    pub const REBOOT_REQUIRED: Self = Self(0x0024_0005);

    /// The code for an HTTP status that is neither success nor a SOAP fault.
    #[must_use]
    pub const fn of_http_status(status: u16) -> Self {
        match status {
            400 => Self(0x8024_4016),
            401 => Self(0x8024_4017),
            403 => Self(0x8024_4018),
            404 => Self(0x8024_4019),
            405 => Self(0x8024_401A),
            407 => Self(0x8024_401B),
            408 => Self(0x8024_401C),
            409 => Self(0x8024_401D),
            410 => Self(0x8024_401E),
            500 => Self(0x8024_401F),
            501 => Self(0x8024_4020),
            502 => Self(0x8024_4021),
            503 => Self::HTTP_SERVICE_UNAVAILABLE,
            504 => Self(0x8024_4023),
            505 => Self(0x8024_4024),
            _ => Self::HTTP_STATUS_NOT_MAPPED,
        }
    }

    /// The signed form that `Win32HResult` of an event carries (observed).
    #[must_use]
    pub const fn as_i32(self) -> i32 {
        self.0.cast_signed()
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl fmt::Debug for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_look_as_agents_log_and_send_them() {
        assert_eq!(HResult::EXCEEDED_MAX_SERVER_TRIPS.to_string(), "0x80244010");
        assert_eq!(HResult::REBOOT_REQUIRED.as_i32(), 2_359_301);
        assert_eq!(HResult(0x8024_0438).as_i32(), -2_145_123_272);
        assert_eq!(HResult::of_http_status(503), HResult::HTTP_SERVICE_UNAVAILABLE);
        assert_eq!(HResult::of_http_status(418), HResult::HTTP_STATUS_NOT_MAPPED);
    }
}
