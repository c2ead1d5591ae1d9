// An unmodified force-rest-api reads a queue: run by test_http_clients.py, which says in arguments what is there: one
// operation of the Name "a b/c", one that failed, how many have the ParentKey crowd.
import com.force.api.ApiConfig;
import com.force.api.ApiException;
import com.force.api.ApiSession;
import com.force.api.DescribeSObject;
import com.force.api.ForceApi;
import com.force.api.QueryResult;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

public class ReadQueue {
    static void expect(boolean is, String what) {
        if (!is)
            throw new AssertionError(what);
    }

    static ForceApi connect(String token) {
        return new ForceApi(new ApiConfig().setApiVersionString("v66.0"),
                            new ApiSession(token, System.getenv("BGOP_HTTP")));
    }

    static void describes(ForceApi api) {
        DescribeSObject operation = api.describeSObject("BackgroundOperation");

        expect(operation.getAllFields().size() == 25, "25 fields");
        expect(operation.getAllFields().stream().anyMatch(field -> field.getName().equals("Status")), "a field Status");
        expect(api.describeGlobal().getSObjects().size() == 1, "one object");
    }

    static void retrieves(ForceApi api, String one, String failed) {
        Map<?, ?> row = api.getSObject("BackgroundOperation", one).asMap();

        expect("a b/c".equals(row.get("Name")) && "Complete".equals(row.get("Status")), "the one: " + row);
        row = api.getSObject("BackgroundOperation", failed).asMap();
        expect("no such site".equals(row.get("Error")), "the one that failed: " + row);
    }

    static void pages(ForceApi api, int crowd) {
        QueryResult<Map> page = api.query("SELECT Id FROM BackgroundOperation WHERE ParentKey = 'crowd' ORDER BY Id");
        Set<Object> ids = new HashSet<>();

        expect(page.getTotalSize() == crowd && !page.isDone(), "the first page of " + page.getTotalSize());
        for (;; page = api.queryMore(page.getNextRecordsUrl())) {
            for (Map row : page.getRecords())
                ids.add(row.get("Id"));
            if (page.isDone())
                break;
        }
        expect(ids.size() == crowd, "pages of " + ids.size());
    }

    static void groups(ForceApi api, int crowd) {
        QueryResult<Map> rows = api.query("SELECT Status, COUNT(Id) n FROM BackgroundOperation "
                                          + "WHERE ParentKey = 'crowd' GROUP BY Status");

        expect(rows.getRecords().size() == 1 && rows.getRecords().get(0).get("n").equals(crowd), "counts");
    }

    static void isRefused(int code, String word, Runnable call) {
        try {
            call.run();
        } catch (ApiException refused) {
            expect(refused.getCode() == code && refused.getMessage().contains(word),
                   "refused with " + refused.getCode() + " " + refused.getMessage());
            return;
        }
        expect(false, "nothing was refused with " + word);
    }

    public static void main(String[] there) {
        ForceApi api = connect(System.getenv("BGOP_HTTP_TOKEN"));
        int crowd = Integer.parseInt(there[2]);

        describes(api);
        retrieves(api, there[0], there[1]);
        pages(api, crowd);
        groups(api, crowd);
        isRefused(400, "INVALID_FIELD", () -> api.query("SELECT Nonsense FROM BackgroundOperation"));
        isRefused(401, "", () -> connect("not the token").query("SELECT Id FROM BackgroundOperation"));
        System.out.println("read");
    }
}
