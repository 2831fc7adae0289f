//! Room on the disk for files on their way.

use crate::support;

use sluicegate_store::StoreError;
use sluicegate_store::content::ContentTurn;
use support::{file, import, open, software};

#[test]
fn two_files_that_fit_one_by_one_are_not_on_their_way_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let free = store.free_space().unwrap();
    let [large, other, small] = [(1, free / 10 * 6), (2, free / 10 * 6), (3, 5)].map(|(n, size)| {
        let mut file = file(&format!("{n}.cab"), &[n; 5]);
        file.size = size;
        file
    });
    let mut update = software(1, 1, "One");
    update.files.extend([large.clone(), other.clone(), small.clone()]);
    import(&store, 0, &[update]);
    let begin = |file: &sluicegate_catalog::FileEntry| store.begin_content(file.sha1);
    let ContentTurn::Yours(mut on_its_way) = begin(&large).unwrap() else { panic!("it fits") };
    let refused = begin(&other).unwrap_err();
    assert!(
        matches!(&refused, StoreError::NoRoom { name, promised, .. }
        if name == "2.cab" && *promised == large.size),
        "{refused}"
    );
    assert!(matches!(begin(&small).unwrap(), ContentTurn::Yours(_)), "it fits beside it");
    // What comes and is thrown away again needs its room again.
    on_its_way.write(&vec![1; 1 << 20]).unwrap();
    let promised = || match begin(&other) {
        Err(StoreError::NoRoom { promised, .. }) => promised,
        fits => panic!("{fits:?}"),
    };
    assert_eq!(promised(), large.size - (1 << 20));
    on_its_way.restart().unwrap();
    assert_eq!(promised(), large.size);
    drop(on_its_way);
    assert!(matches!(begin(&other).unwrap(), ContentTurn::Yours(_)), "nothing is kept for the first");
    assert_eq!(store.content().partials().unwrap(), []);
    assert_eq!(store.update_of_file(large.sha1).unwrap().as_deref(), Some("One"));
}
