// River on PostgreSQL. Every job's row is kept (its default, for a day).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"bgop.example/peers/load"
)

const (
	connections   = 16
	batch         = 1000                 // jobs of an insert
	inserters     = 2                    // at a time
	fetchCooldown = 2 * time.Millisecond // its default of 100 ms lets 64 slots do 640 jobs a second
	waitAtMost    = 10 * time.Minute
)

type job struct {
	Number  int    `json:"n"`
	Padding string `json:"p"`
}

func (job) Kind() string { return "noop" }

type worker struct{ river.WorkerDefaults[job] }

func (worker) Work(context.Context, *river.Job[job]) error { return nil }

type queue struct {
	ctx    context.Context
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// tellAt is where a worker tells which jobs have ended: River's events stay inside the process.
func tellAt() string { return "127.0.0.1:" + os.Getenv("TELL_PORT") }

func open(port int) (load.Queue, error) {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), settings())
	return &queue{ctx, pool, client}, err
}

func settings() *river.Config {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return &river.Config{Logger: logger, FetchCooldown: fetchCooldown}
}

func (q *queue) Work(slots int) error {
	driver := riverpgxv5.New(q.pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if _, err = migrator.Migrate(q.ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	config := settings()
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, worker{})
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}}
	if q.client, err = river.NewClient(driver, config); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", tellAt())
	if err != nil {
		return err
	}
	events, _ := q.client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 1 << 20, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	go tellAll(listener, events)
	return q.client.Start(q.ctx)
}

// tellAll tells the one that listens now; an event comes after the transaction that made its row completed.
func tellAll(listener net.Listener, events <-chan *river.Event) {
	listeners := make(chan net.Conn)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			listeners <- connection
		}
	}()
	out := bufio.NewWriter(nil)
	for {
		select {
		case connection := <-listeners:
			out.Reset(connection)
			fmt.Fprintln(out, "listening")
		case event := <-events:
			var ended job
			if json.Unmarshal(event.Job.EncodedArgs, &ended) == nil {
				fmt.Fprintln(out, ended.Number)
			}
		}
		if len(events) == 0 {
			_ = out.Flush() // to one that has gone: it needs nothing more
		}
	}
}

func (q *queue) Listen(ended chan<- int) error {
	connection, err := net.Dial("tcp", tellAt())
	if err != nil {
		return err
	}
	lines := bufio.NewReader(connection)
	if _, err := lines.ReadString('\n'); err != nil { // it knows of us: nothing is missed from here on
		return err
	}
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if number, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				ended <- number
			}
		}
	}()
	return nil
}

func (q *queue) SubmitAll(count int) error {
	starts := make(chan int)
	failed := make(chan error, inserters)
	var group sync.WaitGroup
	for range inserters {
		group.Go(func() {
			for first := range starts {
				if err := q.insert(first, min(first+batch, count)); err != nil {
					failed <- err
					for range starts { // what is left is not wanted any more
					}
				}
			}
		})
	}
	for first := 0; first < count; first += batch {
		starts <- first
	}
	close(starts)
	group.Wait()
	close(failed)
	return <-failed
}

func (q *queue) insert(first, behind int) error {
	jobs := make([]river.InsertManyParams, 0, behind-first)
	for number := first; number < behind; number++ {
		jobs = append(jobs, river.InsertManyParams{Args: text(number)})
	}
	_, err := q.client.InsertManyFast(q.ctx, jobs)
	return err
}

func (q *queue) Submit(number int) error {
	_, err := q.client.Insert(q.ctx, text(number), nil)
	return err
}

// WaitAll goes by the events, since counting rows all the time would cost the database, and counts rows at the end. Those of
// the warm-up are among them.
func (q *queue) WaitAll(ended <-chan int, count int) (int, error) {
	late := time.After(waitAtMost)
	for range count {
		select {
		case <-ended:
		case <-late:
			return 0, fmt.Errorf("no more jobs ended within %v", waitAtMost)
		}
	}
	var unfinished int
	err := q.pool.QueryRow(q.ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&unfinished)
	return count - unfinished, err
}

func text(number int) job {
	empty, _ := json.Marshal(job{Number: number})
	return job{number, load.Padding(len(empty))}
}

func main() { load.Main(open) }
