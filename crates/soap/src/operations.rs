//! SOAP: what belongs to an operation: its request and its answer are tied together, and the requests of a
//! service are one type, read by the element in Body.

use crate::error::DecodeError;
use crate::field::Field;

/// Ties request and answer structures to their operation.
macro_rules! operation {
    ($const:ident = $operation:expr; $request:ident $(<$rlt:lifetime>)? => $response:ident $(<$alt:lifetime>)?) => {
        pub(crate) const $const: $crate::service::Operation = $operation;
        impl $(<$rlt>)? $crate::service::RequestMessage for $request $(<$rlt>)? {
            const OPERATION: $crate::service::Operation = $const;
            fn encode(&self, version: $crate::envelope::SoapVersion) -> Vec<u8> {
                let style = $const.service.request_style();
                $crate::writer::message(style, version, &$const, "", 0, |out| {
                    $crate::field::Field::write_content(self, out);
                })
            }
        }
        $crate::operations::operation!(@answer $const, $response $(<$alt>)?);
    };
    (@answer $const:ident, $response:ident) => {
        impl<'x> $crate::service::ResponseMessage<'x> for $response {
            $crate::operations::operation!(@answer_body 'x $const);
        }
    };
    (@answer $const:ident, $response:ident<$alt:lifetime>) => {
        impl<$alt> $crate::service::ResponseMessage<$alt> for $response<$alt> {
            $crate::operations::operation!(@answer_body $alt $const);
        }
    };
    (@answer_body $lt:lifetime $const:ident) => {
        const OPERATION: $crate::service::Operation = $const;
        fn encode_long(&self, version: $crate::envelope::SoapVersion, length: usize) -> Vec<u8> {
            let style = $const.service.style();
            $crate::writer::message(style, version, &$const, "Response", length, |out| {
                $crate::field::Field::write_content(self, out);
            })
        }
        fn decode(
            body: &$lt [u8],
            limits: &$crate::envelope::Limits,
        ) -> Result<Self, $crate::error::AnswerError> {
            $crate::operations::read_answer(body, limits, &$const)
        }
    };
}
pub(crate) use operation;

/// Reads an answer of this operation, or the fault that came instead.
pub(crate) fn read_answer<'a, T: Field<'a>>(
    body: &'a [u8],
    limits: &crate::envelope::Limits,
    operation: &crate::service::Operation,
) -> Result<T, crate::error::AnswerError> {
    let (mut reader, version, name, namespace) = crate::envelope::open(body, limits)?;
    if name == "Fault" && namespace == version.namespace() {
        let fault = crate::fault::ReceivedFault::read(&mut reader, version)?;
        return Err(crate::error::AnswerError::Fault(Box::new(fault)));
    }
    if name.strip_suffix("Response") != Some(operation.name) || namespace != operation.namespace {
        let found = crate::envelope::full_name(name, &namespace);
        let expected = format!("{}Response", operation.name);
        return Err(DecodeError::UnknownOperation { found, expected }.into());
    }
    reader.enter_operation(operation.namespace);
    let answer = T::read(&mut reader)?;
    crate::envelope::close(reader)?;
    Ok(answer)
}

/// Makes the `Request` of a service: one variant per operation, read by the element in Body.
macro_rules! requests {
    ($(#[$meta:meta])* [$($lt:lifetime)? $(; quick $quick:path)?] $( $(#[$vmeta:meta])* $variant:ident($type:ty) = $const:path ),* $(,)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request $(<$lt>)? { $( $(#[$vmeta])* $variant($type), )* }

        impl $(<$lt>)? Request $(<$lt>)? {
            /// Every operation of this service.
            pub const OPERATIONS: &'static [$crate::service::Operation] = &[$( $const ),*];

            /// Reads a request. `soap_action` is the SOAPAction header (or the `action` of a SOAP 1.2
            /// content type) as it came; it must agree with the body when it is there.
            ///
            /// # Errors
            /// [`DecodeError`](crate::DecodeError), which knows whether a fault or HTTP 400 answers it.
            pub fn decode(
                body: & $($lt)? [u8],
                soap_action: Option<&str>,
                limits: &$crate::envelope::Limits,
            ) -> Result<($crate::envelope::SoapVersion, Self), $crate::error::DecodeError> {
                $( if let Some(read) = $quick(body, soap_action, limits) {
                    return Ok(read);
                } )?
                Self::decode_generally(body, soap_action, limits)
            }

            /// [`Self::decode`] without fast paths.
            pub(crate) fn decode_generally(
                body: & $($lt)? [u8],
                soap_action: Option<&str>,
                limits: &$crate::envelope::Limits,
            ) -> Result<($crate::envelope::SoapVersion, Self), $crate::error::DecodeError> {
                let (mut reader, version, name, namespace) = $crate::envelope::open(body, limits)?;
                let found = |operation: &$crate::service::Operation| {
                    operation.name == name && operation.namespace == namespace
                };
                $( if found(&$const) {
                    $crate::service::check_action(soap_action, &$const)?;
                    reader.enter_operation($const.namespace);
                    let request = $crate::field::Field::read(&mut reader)?;
                    $crate::envelope::close(reader)?;
                    return Ok((version, Self::$variant(request)));
                } )*
                let names: Vec<&str> = Self::OPERATIONS.iter().map(|operation| operation.name).collect();
                Err($crate::error::DecodeError::UnknownOperation {
                    found: $crate::envelope::full_name(name, &namespace),
                    expected: names.join(", "),
                })
            }

            /// Which operation it calls.
            #[must_use]
            pub const fn operation(&self) -> $crate::service::Operation {
                match self { $( Self::$variant(_) => $const, )* }
            }

            /// The envelope, as the native agent writes it.
            #[must_use]
            pub fn encode(&self, version: $crate::envelope::SoapVersion) -> Vec<u8> {
                match self { $(
                    Self::$variant(request) => $crate::service::RequestMessage::encode(request, version),
                )* }
            }
        }
    };
}
pub(crate) use requests;
