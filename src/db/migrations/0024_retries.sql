-- How a person had the ticket of a run tried again: going on from what this run left, or anew, without anything of it and of those before.
alter table runs
  add column retried text constraint runs_retried check (retried in ('go_on', 'anew'));
grant update (retried) on runs to {app};
