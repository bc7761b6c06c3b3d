//! The configuration that the binary brings, so that it runs anywhere.

/// The files of the configuration folder of the repository that decide anything.
pub(super) const FILES: [(&str, &[u8]); 8] = [
    ("context.toml", include_bytes!("../../../config/context.toml")),
    ("playbooks/ticket_routing.toml", include_bytes!("../../../config/playbooks/ticket_routing.toml")),
    ("playbooks/retention_offer.toml", include_bytes!("../../../config/playbooks/retention_offer.toml")),
    ("tables/ticket_routing.csv", include_bytes!("../../../config/tables/ticket_routing.csv")),
    ("agents/ticket_router.toml", include_bytes!("../../../config/agents/ticket_router.toml")),
    ("models/ticket_queue-1/manifest.toml", include_bytes!("../../../config/models/ticket_queue-1/manifest.toml")),
    ("models/ticket_queue-1/model.bin", include_bytes!("../../../config/models/ticket_queue-1/model.bin")),
    ("models/ticket_queue-1/calibration.csv", include_bytes!("../../../config/models/ticket_queue-1/calibration.csv")),
];
