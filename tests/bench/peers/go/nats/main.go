// NATS JetStream: a work queue on file, as its server is configured when nothing is said. What is acknowledged is deleted, so
// there is no record of a job that has ended.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bgop.example/peers/load"
)

const (
	stream, durable = "BENCH", "bench"
	manyJobs        = "bench.many" // the worker acknowledges, and goes on
	oneJob          = "bench.one"  // the worker waits until the server has its acknowledgement, and tells so
	tell            = "ended"      // core NATS, which nothing keeps: numbers of jobs that were deleted from the queue
	flying          = 4000         // publishes without an answer
	ahead           = 2000         // messages that a worker asks for before it needs them
	patience        = time.Minute  // for room among those flying, where the machine is busy
	unacknowledged  = 10000        // that the server hands out at most
)

type job struct {
	Number  int    `json:"n"`
	Padding string `json:"p"`
}

type queue struct {
	ctx        context.Context
	connection *nats.Conn
	stream     jetstream.JetStream
}

func open(port int) (load.Queue, error) {
	connection, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(connection, jetstream.WithPublishAsyncMaxPending(flying))
	return &queue{context.Background(), connection, js}, err
}

func (q *queue) Work(slots int) error {
	_, err := q.stream.CreateOrUpdateStream(q.ctx, jetstream.StreamConfig{Name: stream, Subjects: []string{"bench.>"},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage})
	if err != nil {
		return err
	}
	consumer, err := q.stream.CreateOrUpdateConsumer(q.ctx, stream, jetstream.ConsumerConfig{Durable: durable,
		AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: unacknowledged})
	if err != nil {
		return err
	}
	waiting := make(chan jetstream.Msg, slots)
	for range slots {
		go q.handle(waiting)
	}
	_, err = consumer.Consume(func(message jetstream.Msg) { waiting <- message }, jetstream.PullMaxMessages(ahead))
	return err
}

// handle is a slot. A message that cannot be acknowledged comes back to some worker, so the run would miss it.
func (q *queue) handle(waiting <-chan jetstream.Msg) {
	for message := range waiting {
		if message.Subject() == manyJobs {
			_ = message.Ack()
			continue
		}
		var mine job
		if json.Unmarshal(message.Data(), &mine) == nil && message.DoubleAck(q.ctx) == nil {
			_ = q.connection.Publish(tell, fmt.Append(nil, mine.Number))
		}
	}
}

func (q *queue) Listen(ended chan<- int) error {
	_, err := q.connection.Subscribe(tell, func(message *nats.Msg) {
		var number int
		if _, err := fmt.Sscan(string(message.Data), &number); err == nil {
			ended <- number
		}
	})
	if err != nil {
		return err
	}
	return q.connection.Flush()
}

func (q *queue) SubmitAll(count int) error {
	for number := range count {
		if _, err := q.stream.PublishAsync(manyJobs, text(number), jetstream.WithStallWait(patience)); err != nil {
			return err
		}
	}
	<-q.stream.PublishAsyncComplete()
	return nil
}

func (q *queue) Submit(number int) error {
	_, err := q.stream.Publish(q.ctx, oneJob, text(number))
	return err
}

// WaitAll asks how many are neither handed out nor acknowledged: the server keeps nothing else of them.
func (q *queue) WaitAll(_ <-chan int, count int) (int, error) {
	consumer, err := q.stream.Consumer(q.ctx, stream, durable)
	for err == nil {
		var info *jetstream.ConsumerInfo
		if info, err = consumer.Info(q.ctx); err == nil && info.NumPending == 0 && info.NumAckPending == 0 {
			return count, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, err
}

func text(number int) []byte {
	empty, _ := json.Marshal(job{Number: number})
	full, _ := json.Marshal(job{number, load.Padding(len(empty))})
	return full
}

func main() { load.Main(open) }
