//! Cabinet: writing. One folder, MSZIP, members in the given order; equal input makes equal bytes.

use crate::CabinetError;
use crate::layout::MAX_NAME;
use cab::{CabinetBuilder, CompressionType};
use std::io::{Cursor, Write as _};

/// Makes a cabinet of the given members (name, bytes). Every member carries the date 1980-01-01, the
/// first that the format can hold, so that the result depends on nothing but the input.
///
/// # Errors
/// [`CabinetError::Name`] for a name the format cannot hold, [`CabinetError::Write`] when the sizes pass
/// what the format can hold (2 GiB).
pub fn write(members: &[(&str, &[u8])]) -> Result<Vec<u8>, CabinetError> {
    let failed = |error: std::io::Error| CabinetError::Write(error.to_string());
    let mut builder = CabinetBuilder::new();
    if !members.is_empty() {
        let folder = builder.add_folder(CompressionType::MsZip);
        let epoch = cab_epoch()?;
        for (name, _) in members {
            check_name(name)?;
            folder.add_file(*name).set_datetime(epoch);
        }
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).map_err(failed)?;
    for (_, data) in members {
        let Some(mut file) = writer.next_file().map_err(failed)? else {
            return Err(CabinetError::Write("the writer lost a member".to_owned()));
        };
        file.write_all(data).map_err(failed)?;
    }
    writer.finish().map(Cursor::into_inner).map_err(failed)
}

pub(super) fn check_name(name: &str) -> Result<(), CabinetError> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(CabinetError::Name(name.to_owned()));
    }
    Ok(())
}

pub(super) fn cab_epoch() -> Result<time::PrimitiveDateTime, CabinetError> {
    time::Date::from_calendar_date(1980, time::Month::January, 1)
        .map(|date| date.with_time(time::Time::MIDNIGHT))
        .map_err(|error| CabinetError::Write(error.to_string()))
}
