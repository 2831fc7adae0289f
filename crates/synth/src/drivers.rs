//! Synth: drivers. What hardware there is, and which driver fits it.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::tree;
use sluicegate_catalog::{DriverEntry, FeatureScore};
use sluicegate_terms::{Guid, Timestamp};

const CLASSES: [&str; 8] = ["Net", "Display", "MEDIA", "USB", "System", "Printers", "Bluetooth", "HIDClass"];
/// One in so many drivers is for the same piece of hardware as another.
const DRIVERS_PER_DEVICE: usize = 3;
/// Computer models that drivers name and machines are.
pub(crate) const COMPUTER_MODELS: usize = 400;

/// Two systems whose machines get the driver.
pub(crate) fn systems(catalog: &Catalog, number: usize) -> [usize; 2] {
    let first = dice(catalog, number).below(tree::SYSTEMS.len());
    [first, (first + 1) % tree::SYSTEMS.len()]
}

fn dice(catalog: &Catalog, number: usize) -> Dice {
    Dice::new(catalog.seed, Topic::Driver, number as u64 | 1 << 40)
}

/// How many different devices the drivers of the catalog are for.
pub(crate) fn device_count(catalog: &Catalog) -> usize {
    (catalog.layout.drivers() / DRIVERS_PER_DEVICE).max(1)
}

/// A device's ids, most specific first, as agents write them.
pub(crate) fn hardware_ids(catalog: &Catalog, device: usize) -> [String; 3] {
    let mut dice = Dice::new(catalog.seed, Topic::Hardware, device as u64);
    let (vendor, product, maker) = (dice.below(0x1_0000), dice.below(0x1_0000), dice.below(0x1_0000));
    let device = format!("PCI\\VEN_{vendor:04X}&DEV_{product:04X}");
    [
        format!("{device}&SUBSYS_{maker:04X}{vendor:04X}&REV_01"),
        format!("{device}&SUBSYS_{maker:04X}{vendor:04X}"),
        device,
    ]
}

/// The id of a computer model.
pub(crate) fn computer_model(catalog: &Catalog, model: usize) -> Guid {
    Dice::new(catalog.seed, Topic::Computer, model as u64).guid()
}

/// What one revision of a driver fits. Later revisions have later versions.
pub(crate) fn entries(catalog: &Catalog, number: usize, earlier: usize) -> Vec<DriverEntry> {
    let mut dice = dice(catalog, number);
    let _systems = dice.below(tree::SYSTEMS.len());
    let class = dice.pick(&CLASSES);
    let maker = dice.below(60);
    let days = 16_000 + dice.below(4400);
    let version =
        (10 + dice.below(30) as u64) << 48 | (dice.below(20) as u64) << 32 | (dice.below(9999) as u64) << 16;
    let limited = dice.chance(33);
    let computers: Vec<Guid> = (0..if limited { 1 + dice.below(3) } else { 0 })
        .map(|_| computer_model(catalog, dice.below(COMPUTER_MODELS)))
        .collect();
    let count = 1 + dice.below(4);
    let first = dice.below(device_count(catalog));
    let score = u8::try_from(0x20 + 0x10 * dice.below(14)).unwrap_or(u8::MAX);
    (0..count)
        .map(|n| {
            let device = (first + n) % device_count(catalog);
            let [_, with_maker, plain] = hardware_ids(catalog, device);
            let hardware_id = if dice.chance(50) { with_maker } else { plain };
            DriverEntry {
                // Letter case does not distinguish ids; records have them in lower case.
                hardware_id: hardware_id.to_lowercase(),
                ver_date: Timestamp::from_unix_seconds((days as i64) * 86_400),
                ver_version: version + earlier as u64,
                class: class.to_owned(),
                manufacturer: format!("Maker {maker}"),
                provider: format!("Maker {maker}"),
                model: format!("Device {device}"),
                whql_driver_id: u32::try_from(1_000_000 + number * 8 + n).unwrap_or(u32::MAX),
                compatible_providers: Vec::new(),
                feature_scores: [("AMD64.10.0", score), ("ARM64.10.0", 0xFF)]
                    .map(|(system, score)| FeatureScore { operating_system: system.to_owned(), score })
                    .to_vec(),
                distribution_computer_ids: Vec::new(),
                target_computer_ids: computers.clone(),
            }
        })
        .collect()
}
