-- What the sandboxes of a project may reach, beside the gateway.

alter table projects
  add column network jsonb not null default '[]'
    constraint projects_network check (jsonb_typeof(network) = 'array' and jsonb_array_length(network) <= 100);
