-- Which of Skep's tools an agent that works by a template has; null: all of them.
alter table template_versions
  add column tools text[] check (tools <@ array['get_context', 'submit_result', 'report_blocker', 'ask_human', 'save_memory']);
