// Submits one operation with kafka-go; the same Name and content again is the same operation.
//
//	BGOP_KAFKA=127.0.0.1:9092 go run submit.go [NAME]
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

func main() {
	key, name := "acct-42", "from-go"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	operation, err := json.Marshal(map[string]any{
		"Type": "WebCart", "ParentKey": key, "Name": name, "Payload": map[string]int{"items": 3},
	})
	if err != nil {
		log.Fatal(err)
	}
	writer := &kafka.Writer{
		Addr:         kafka.TCP(strings.Split(os.Getenv("BGOP_KAFKA"), ",")...),
		Topic:        "bgop.submit",
		Balancer:     &kafka.Murmur2Balancer{}, // a key goes to the partition that Java's client would choose
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
	}
	if err := writer.WriteMessages(context.Background(), kafka.Message{Key: []byte(key), Value: operation}); err != nil {
		log.Fatal("not submitted: ", err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
}
