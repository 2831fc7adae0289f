//! Terms: the enumerations of update documents and deployments, with their spelling on the wire.

use crate::{TermError, excerpt};
use core::fmt;
use core::str::FromStr;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $term:literal, { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl FromStr for $name {
            type Err = TermError;
            fn from_str(text: &str) -> Result<Self, TermError> {
                match text {
                    $(stringify!($variant) => Ok(Self::$variant),)+
                    _ => Err(TermError::Word { term: $term, value: excerpt(text) }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a revision is (`Properties/@UpdateType`, MS-WUSP 3.1.1).
    UpdateKind, "UpdateType", {
        /// A node of the category tree.
        Category,
        /// A rule that only detects something.
        Detectoid,
        /// Something to install, or a bundle of it.
        Software,
        /// A device driver.
        Driver,
    }
}

words! {
    /// Which level of the category tree (`CategoryInformation/@CategoryType`).
    CategoryKind, "CategoryType", {
        /// The publisher at the root.
        Company,
        /// A family of products.
        ProductFamily,
        /// A product.
        Product,
        /// Security Updates, Drivers and so on.
        UpdateClassification,
    }
}

words! {
    /// What a client does with a revision (MS-WUSP 2.2.2.2.4, DeploymentAction).
    DeploymentAction, "DeploymentAction", {
        /// Offered to users, never installed by itself.
        OptionalInstall,
        /// Installed.
        Install,
        /// Removed.
        Uninstall,
        /// Evaluated and reported, not offered.
        PreDeploymentCheck,
        /// Not deployed; overrides another deployment.
        Block,
        /// Evaluated, neither offered nor reported.
        Evaluate,
        /// There because a deployed update bundles it.
        Bundle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for action in DeploymentAction::ALL {
            assert_eq!(action.as_str().parse::<DeploymentAction>().unwrap(), *action);
        }
        for kind in UpdateKind::ALL {
            assert_eq!(kind.as_str().parse::<UpdateKind>().unwrap(), *kind);
        }
        assert!("software".parse::<UpdateKind>().is_err());
    }
}
