//! What update servers say to each other: requests and answers of the three services between them (MS-WSUSSS
//! 3.1.4), read or refused; what was read is written and read again to the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_soap::{Limits, ResponseMessage, SoapVersion, dss_auth, server_reporting as rollup, server_sync as sync};

/// Requests to one service.
macro_rules! request {
    ($data:expr, $($service:ident),*) => { $(
        if let Ok((version, request)) = $service::Request::decode($data, None, &Limits::REQUEST) {
            let again = request.encode(version);
            let (_, read) =
                $service::Request::decode(&again, None, &Limits::REQUEST).expect("what is written can be read");
            assert_eq!(read, request);
        }
    )* };
}

/// Answers of one operation each.
macro_rules! answers {
    ($data:expr, $($answer:ty),* $(,)?) => { $(
        if let Ok(answer) = <$answer>::decode($data, &Limits::ANSWER) {
            let again = answer.encode(SoapVersion::V11);
            let read = <$answer>::decode(&again, &Limits::ANSWER).expect("what is written can be read");
            assert_eq!(read, answer);
        }
    )* };
}

fuzz_target!(|data: &[u8]| {
    request!(data, dss_auth, sync, rollup);
    answers!(
        data,
        dss_auth::GetAuthorizationCookieResponse,
        sync::GetAuthConfigResponse,
        sync::GetCookieResponse,
        sync::GetConfigDataResponse,
        sync::GetRevisionIdListResponse,
        sync::GetRelatedRevisionsForUpdatesResponse,
        sync::GetUpdateDataResponse,
        sync::GetDriverIdListResponse,
        sync::GetDriverSetDataResponse,
        sync::GetDeploymentsResponse,
        sync::DownloadFilesResponse,
        sync::GetUpdateDecryptionDataResponse,
        rollup::GetRollupConfigurationResponse,
        rollup::RollupDownstreamServersResponse,
        rollup::RollupComputersResponse,
        rollup::GetOutOfSyncComputersResponse,
        rollup::RollupComputerStatusResponse,
    );
});
