-- What a run's sandbox shows at the model gateway, and why a run cannot go on.

alter table runs
  -- SHA-256 of the run token: it opens the gateway while the lease lives, and nothing else.
  add column run_token_hash bytea,
  -- What stands in the way of the run (a spent budget, a blocker, a model that is not there): looked at when it ends.
  add column halt jsonb;
create unique index runs_of_run_token on runs (run_token_hash) where lease_expires_at is not null and run_token_hash is not null;

-- Who plans the project's specs: a model, asked through the gateway.
alter table projects add column planner jsonb;
