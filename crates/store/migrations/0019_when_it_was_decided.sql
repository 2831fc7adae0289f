-- When the upstream of a replica decided what it deploys; not known of what was taken over before.
ALTER TABLE upstream_deployment ADD COLUMN decided INTEGER;
