//! NTLM: the messages of MS-NLMP that a proxy asks for.
