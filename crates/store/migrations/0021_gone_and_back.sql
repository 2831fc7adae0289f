-- Approvals, and the marks of approvals that were withdrawn, that went with their group or their update: a server below
-- that was told of one may still have it, and takes it up again when the group or the update is back.
CREATE TABLE dropped_deployment (
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id  BLOB NOT NULL CHECK (length(group_id) = 16),
    changed   INTEGER NOT NULL CHECK (changed > 0),
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dropped_deployment_by_change ON dropped_deployment (changed);

-- What this server took over from its upstream may have such ones in it. All is asked for anew.
DELETE FROM sync_state WHERE name = 'deployments-anchor';

-- Whether a computer that somebody placed in this group is where another mode had it only while the group is not there.
ALTER TABLE former_membership ADD COLUMN stand_in INTEGER NOT NULL DEFAULT 0;
