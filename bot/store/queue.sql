-- What we add to the tables of the job engine.

-- A job that ends frees its lock, but the engine only announces insertions: the next job with that
-- lock would wait for a poll. Announce it, in the words that the engine's workers listen for.
CREATE OR REPLACE FUNCTION labelwright_announce_freed_lock() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    waiting record;
BEGIN
    SELECT id, queue_name INTO waiting
        FROM procrastinate_jobs
        WHERE lock = OLD.lock AND status = 'todo'
            AND (scheduled_at IS NULL OR scheduled_at <= now())
        ORDER BY id LIMIT 1;
    IF FOUND THEN
        PERFORM pg_notify(
            'procrastinate_queue_v1#' || waiting.queue_name,
            json_build_object('type', 'job_inserted', 'job_id', waiting.id)::text
        );
    END IF;
    RETURN NULL;
END;
$$;

CREATE OR REPLACE TRIGGER labelwright_freed_lock_by_update
    AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.lock IS NOT NULL AND OLD.status = 'doing' AND NEW.status <> 'doing')
    EXECUTE FUNCTION labelwright_announce_freed_lock();

CREATE OR REPLACE TRIGGER labelwright_freed_lock_by_delete
    AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.lock IS NOT NULL AND OLD.status = 'doing')
    EXECUTE FUNCTION labelwright_announce_freed_lock();
