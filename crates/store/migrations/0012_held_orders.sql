-- What is held since an order that stands would be refused for it -----------------------------------

-- A revision without licence terms that waits: which order stands against it; none when it waits for a review.
ALTER TABLE held ADD COLUMN refused TEXT CHECK (refused IN ('not-removable', 'needs-input'));
