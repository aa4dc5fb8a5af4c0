-- The command by which a project brings its dependencies in, before any agent comes.

alter table projects
  add column setup jsonb
    constraint projects_setup check (setup is null or (jsonb_typeof(setup) = 'array' and jsonb_array_length(setup) between 1 and 100));
