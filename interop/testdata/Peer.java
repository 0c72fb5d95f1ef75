// java.net.http.WebSocket as a peer: a client only. See peer.cjs; it cannot compress.

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public class Peer implements WebSocket.Listener {
    static final int[] SIZES = {0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20};

    final LinkedBlockingQueue<Object> messages = new LinkedBlockingQueue<>();
    final StringBuilder text = new StringBuilder();
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            messages.add(text.toString());
            text.setLength(0);
        }
        ws.request(1);
        return null;
    }

    public CompletionStage<?> onBinary(WebSocket ws, ByteBuffer data, boolean last) {
        byte[] b = new byte[data.remaining()];
        data.get(b);
        bytes.writeBytes(b);
        if (last) {
            messages.add(bytes.toByteArray());
            bytes.reset();
        }
        ws.request(1);
        return null;
    }

    public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
        messages.add(code);
        return null;
    }

    public void onError(WebSocket ws, Throwable error) {
        messages.add(error);
    }

    static byte[] payload(boolean binary, int n) {
        byte[] p = new byte[n];
        for (int i = 0; i < n; i++) p[i] = (byte) (binary ? i % 251 : 'a' + i % 26);
        if (!binary && n >= 3) System.arraycopy("\u20ac".getBytes(StandardCharsets.UTF_8), 0, p, 0, 3);
        return p;
    }

    Object next() throws Exception {
        Object m = messages.poll(60, TimeUnit.SECONDS);
        if (m == null || m instanceof Throwable) throw new Exception("no answer", (Throwable) m);
        return m;
    }

    void dial(String url) throws Exception {
        WebSocket ws = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(url), this).get();
        for (boolean fragments : new boolean[] {false, true}) {
            for (int n : SIZES) {
                byte[] p = payload(true, n);
                int cut = fragments ? n / 3 : 0;
                if (fragments) ws.sendBinary(ByteBuffer.wrap(p, 0, cut), false).get();
                ws.sendBinary(ByteBuffer.wrap(p, cut, n - cut), true).get();
                if (!Arrays.equals((byte[]) next(), p)) throw new Exception(n + " bytes came back as others");
                String s = new String(payload(false, n), StandardCharsets.UTF_8);
                cut = fragments ? s.length() / 3 : 0;
                if (fragments) ws.sendText(s.substring(0, cut), false).get();
                ws.sendText(s.substring(cut), true).get();
                if (!next().equals(s)) throw new Exception(n + " bytes of text came back as others");
            }
        }
        ws.sendClose(WebSocket.NORMAL_CLOSURE, "done").get();
        if (!next().equals(1000)) throw new Exception("closed uncleanly");
    }

    public static void main(String[] args) throws Exception {
        for (String url : args) new Peer().dial(url);
        System.out.println("ok");
        System.exit(0);
    }
}
