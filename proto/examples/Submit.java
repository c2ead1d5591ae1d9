// Submits one operation with Kafka's own client; the same Name and content again is the same operation.
//
//   BGOP_KAFKA=127.0.0.1:9092 java -cp "libs/*" Submit.java [NAME]
//
// libs: org.apache.kafka:kafka-clients with its dependencies (deploy/kafka/fetch prints a folder that has them).
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

public class Submit {
    public static void main(String[] arguments) throws Exception {
        String key = "acct-42", name = arguments.length > 0 ? arguments[0] : "from-java";
        String operation = "{\"Type\":\"WebCart\",\"ParentKey\":\"" + key + "\",\"Name\":\"" + name
            + "\",\"Payload\":{\"items\":3}}";
        Map<String, Object> settings = Map.of("bootstrap.servers", System.getenv("BGOP_KAFKA"));

        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            RecordMetadata where = producer.send(new ProducerRecord<>("bgop.submit", key, operation)).get();

            System.out.println("submitted: partition " + where.partition() + ", offset " + where.offset());
        }
    }
}
