// Package load loads a queue as the benchmarks do, whatever the queue is.
//
//	PROGRAM PORT SLOTS worker                         until SIGTERM; prints "ready"
//	PROGRAM PORT SLOTS rate COUNT                     from the first submit until all have ended
//	PROGRAM PORT SLOTS latency RATE SECONDS WARM_UP   from the moment a job is due until it has ended
//
// A load prints one JSON object.
package load

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Queue is what a program has to know of its queue. A job carries its number.
type Queue interface {
	Work(slots int) error                             // starts to take jobs
	Listen(ended chan<- int) error                    // the numbers of jobs that have ended, as soon as the queue has it recorded
	SubmitAll(count int) error                        // in the queue's own quickest way; returns when the queue has them all
	Submit(number int) error                          // one, while others are on their way
	WaitAll(ended <-chan int, count int) (int, error) // until so many have ended: how many the queue itself has as ended
}

// Patience is how long a latency run waits for its last jobs.
const Patience = 10 * time.Second

// PayloadBytes is what a job has to carry, its number included.
const PayloadBytes = 200

// Padding fills a job's text up to PayloadBytes.
func Padding(used int) string { return strings.Repeat("x", PayloadBytes-used) }

// Main does what the arguments say with the queue that open connects to.
func Main(open func(port int) (Queue, error)) {
	if err := run(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(open func(port int) (Queue, error)) error {
	if len(os.Args) < 4 {
		return fmt.Errorf("usage: %s PORT SLOTS worker | rate COUNT | latency RATE SECONDS WARM_UP", os.Args[0])
	}
	what, words := os.Args[3], append(os.Args[1:3:3], os.Args[4:]...)
	numbers := make([]int, len(words))
	for i, word := range words {
		number, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("'%s' is no number", word)
		}
		numbers[i] = number
	}
	queue, err := open(numbers[0])
	if err != nil {
		return err
	}
	switch {
	case what == "worker" && len(numbers) == 2:
		return work(queue, numbers[1])
	case what == "rate" && len(numbers) == 3:
		return show(rate(queue, numbers[2]))
	case what == "latency" && len(numbers) == 5:
		return show(latency(queue, numbers[2], numbers[3], numbers[4]))
	}
	return fmt.Errorf("neither 'worker', 'rate COUNT' nor 'latency RATE SECONDS WARM_UP': %s", strings.Join(os.Args[3:], " "))
}

func work(queue Queue, slots int) error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	if err := queue.Work(slots); err != nil {
		return err
	}
	fmt.Println("ready")
	<-end
	return nil
}

func show(figures map[string]any, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

func rate(queue Queue, count int) (map[string]any, error) {
	ended := make(chan int, count)
	if err := queue.Listen(ended); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := queue.SubmitAll(count); err != nil {
		return nil, err
	}
	submitted := time.Since(start)
	completed, err := queue.WaitAll(ended, count)
	perSecond := func(took time.Duration) int { return int(math.Round(float64(count) / took.Seconds())) }
	return map[string]any{"operations": count, "completed": completed, "submitted": count,
		"submit_per_s": perSecond(submitted), "end_to_end_per_s": perSecond(time.Since(start))}, err
}

// latency is an open loop: what is due is submitted, however long others take.
func latency(queue Queue, perSecond, seconds, warmUp int) (map[string]any, error) {
	first, count := perSecond*warmUp, perSecond*(warmUp+seconds)
	ended := make(chan int, count)
	if err := queue.Listen(ended); err != nil {
		return nil, err
	}
	took := make([]time.Duration, count)
	start := time.Now()
	due := func(number int) time.Time {
		return start.Add(time.Duration(number) * time.Second / time.Duration(perSecond))
	}
	failed := make(chan error, 1)
	submitting := make(chan struct{})
	go func() {
		defer close(submitting)
		submitAll(queue, count, due, failed)
	}()
	var late <-chan time.Time
	for left := count; left > 0; {
		select {
		case number := <-ended:
			if took[number] == 0 {
				took[number] = time.Since(due(number))
				left--
			}
		case <-submitting:
			submitting, late = nil, time.After(Patience)
		case err := <-failed:
			return nil, err
		case <-late:
			left = 0
		}
	}
	return figures(took[first:], count), nil
}

func submitAll(queue Queue, count int, due func(int) time.Time, failed chan<- error) {
	var flying sync.WaitGroup
	for number := range count {
		time.Sleep(time.Until(due(number)))
		flying.Go(func() {
			if err := queue.Submit(number); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	flying.Wait()
}

// figures of what was measured: a job that took 0 has not ended.
func figures(took []time.Duration, submitted int) map[string]any {
	known := slices.DeleteFunc(slices.Clone(took), func(each time.Duration) bool { return each == 0 })
	slices.Sort(known)
	rank := func(percent int) float64 {
		if len(known) == 0 {
			return 0
		}
		at := max(0, (len(known)*percent+99)/100-1)
		return math.Round(float64(known[at].Microseconds())/10) / 100
	}
	return map[string]any{"operations": len(took), "completed": len(known), "submitted": submitted,
		"p50_ms": rank(50), "p99_ms": rank(99), "max_ms": rank(100)}
}
