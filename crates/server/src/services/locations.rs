//! Where files are (MS-WUSP 3.1.5.10, observed-behaviour 4 and 5). Locations are given for files the
//! server does not hold too: without them agents find no updates at all.

use super::{Caller, Failure, Reply, session};
use crate::content::files::path_of;
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{
    FileLocation, GetFileLocationsRequest, GetFileLocationsResponse, GetFileLocationsResults,
};
use sluicegate_terms::{ComputerId, Sha1Digest};
use std::collections::HashSet;

/// Answers GetFileLocations. Its cookie knows the present locations from then on, which ends a
/// FileLocationChanged.
pub(super) fn get_file_locations(
    app: &App,
    caller: &Caller,
    request: &GetFileLocationsRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let mut cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    if request.file_digests.is_empty() {
        return Err(Failure::no_elements("fileDigests"));
    }
    cookie.locations = app.settings.load().locations;
    let result = GetFileLocationsResults {
        file_locations: of_files(app, caller, request.file_digests.iter().copied()),
        new_cookie: Some(session::seal(app, &cookie)?),
    };
    Ok(Reply::message(&GetFileLocationsResponse { result }, version))
}

/// The locations of files, one for each distinct file that an update names.
pub(super) fn of_files(
    app: &App,
    caller: &Caller,
    files: impl IntoIterator<Item = Sha1Digest>,
) -> Vec<FileLocation> {
    let settings = app.settings.load();
    // Host name of the request, port of our own, whatever the request said (observed).
    let base = match &settings.content_base {
        Some(base) => base.as_str().to_owned(),
        None => format!("http://{}/Content", app.authority(&caller.host)),
    };
    let mut seen = HashSet::new();
    files
        .into_iter()
        .filter(|sha1| seen.insert(*sha1))
        .filter_map(|sha1| {
            let facts = app.store.file(sha1)?;
            let url = format!("{base}/{}", path_of(&sha1, &facts.extension));
            Some(FileLocation { file_digest: Some(sha1), url: Some(url), ..FileLocation::default() })
        })
        .collect()
}
