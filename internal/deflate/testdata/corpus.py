"""Writes the corpora of the tests and benchmarks: python3 corpus.py, in this directory.

Each is made up, has a fixed seed, and looks like what goes over WebSockets:
ticks.json (one quote per line), chat.txt (one JSON message per line), page.html,
server.log, random.bin.
"""
import json
import os
import random

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

WORDS = """about after again against all always and another any anyone are around ask away back because
been before being better between both bring build but call came can change check city close cold come
could count course cut data day deploy did different does done door down each early easy end enough even
every everyone except far fast few file find first fix flat follow food for forget found friend from full
funny game gave get give glad going good got great group had half hand hard has have head hear heard help
her here high him his hold home hope hour house how idea just keep kind knew know large last late later
laugh learn leave left less let letter life light like line list little live long look lost lot love low
lunch made make many maybe mean meet meeting might minute miss moment money month more morning most move
much music must name near need never new next nice night no not nothing now number of off office often
old on once one only open or order other our out over own page part party people phone photo piece place
plan play please point possible pretty problem put question quick quite rain read ready real really
reason red remember rest right road room run said same saw say school see seem send sent server set
shall she should show side since sit slow small some someone something song soon sorry sound start stay
still stop story street strong such sun sure table take talk tell ten test than thank thanks that the
their them then there these they thing think this those thought three through time today together told
tomorrow tonight too took top town train tree true try turn two under until up update us use very wait
walk want warm was watch water way we week weekend well went were what when where which while white who
whole why will window wish with without wonder word work world would write wrong year yes yesterday yet
you young your""".split()


def sentence(r, low, high):
    # Short words are common and long ones are rare, as in speech.
    words = [r.choice(WORDS) for _ in range(r.randint(low, high))]
    words = [w if len(w) < 6 or r.random() < 0.5 else r.choice(("I", "it", "the", "a", "to", "is")) for w in words]
    text = " ".join(words)
    return text[0].upper() + text[1:] + r.choice((".", ".", ".", "?", "!", "", " :)", " 😀", "…"))


def ticks(r, size):
    symbols = {s: r.uniform(5, 900) for s in
               ("AAPL", "MSFT", "NVDA", "AMZN", "GOOG", "META", "TSLA", "AMD", "INTC", "NFLX", "ORCL", "CSCO")}
    now, seq, out = 1_767_225_600_000, 48_211_907, []
    while sum(map(len, out)) < size:
        s = r.choice(list(symbols))
        symbols[s] = max(1.0, symbols[s] * (1 + r.gauss(0, 0.0004)))
        now += r.randint(0, 40)
        seq += r.randint(1, 4)
        price = round(symbols[s], 2)
        out.append(json.dumps({
            "type": "trade" if r.random() < 0.6 else "quote", "symbol": s, "seq": seq, "ts": now,
            "bid": round(price - 0.01 * r.randint(1, 3), 2), "ask": round(price + 0.01 * r.randint(1, 3), 2),
            "last": price, "size": r.choice((1, 5, 10, 50, 100, 100, 100, 200, 300, 500)),
            "venue": r.choice(("XNAS", "XNYS", "ARCX", "BATS", "EDGX")),
        }, separators=(",", ":")) + "\n")
    return "".join(out)


def chat(r, size):
    names = ("mara", "jonas_w", "petra", "Ilse", "tom.k", "noor", "sam", "黒田", "zoë", "lukas84")
    rooms = ("general", "random", "help", "ops")
    now, ident, out = 1_767_225_600, 7_000_000, []
    while sum(len(o.encode()) for o in out) < size:
        now += r.randint(1, 90)
        ident += r.randint(1, 30)
        out.append(json.dumps({
            "event": "message", "id": ident, "room": r.choice(rooms), "from": r.choice(names), "at": now,
            "text": " ".join(sentence(r, 2, 14) for _ in range(r.randint(1, 3))),
        }, ensure_ascii=False) + "\n")
    return "".join(out)


def page(r, size):
    out = ["""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>The week in small towns</title>
  <link rel="stylesheet" href="/static/css/main.css">
  <script src="/static/js/app.js" defer></script>
</head>
<body class="front">
<main id="content">
"""]
    n = 0
    while sum(len(o.encode()) for o in out) < size:
        n += 1
        slug = "-".join(r.choice(WORDS) for _ in range(4))
        out.append(f"""  <article class="teaser teaser--{r.choice(("wide", "small", "small"))}" id="story-{r.randint(1000, 9999)}">
    <h2 class="teaser__title"><a href="/stories/2026/{r.randint(1, 12):02}/{slug}.html">{sentence(r, 4, 9)}</a></h2>
    <p class="teaser__meta">By <span class="author">{r.choice(WORDS).title()} {r.choice(WORDS).title()}</span>, {r.randint(1, 28)} {r.choice(("May", "June", "July"))} 2026</p>
    <p>{" ".join(sentence(r, 5, 20) for _ in range(r.randint(2, 6)))}</p>
""")
        if n % 3 == 0:
            out.append(f"""    <figure><img src="/media/{r.randrange(16**12):012x}.jpg" width="640" height="{r.choice((360, 480))}" alt="{sentence(r, 3, 6)}"></figure>
""")
        out.append("  </article>\n")
    out.append("</main>\n</body>\n</html>\n")
    return "".join(out)


def log(r, size):
    paths = ["/api/v1/" + "/".join(r.choice(WORDS) for _ in range(r.randint(1, 3))) for _ in range(40)]
    agents = ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
              "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
              "curl/8.14.1", "Go-http-client/1.1")
    seconds, out = 0, []
    while sum(map(len, out)) < size:
        seconds += r.randint(0, 3)
        out.append(f"2026-05-14T{8 + seconds // 3600 % 12:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{r.randint(0, 999):03}Z "
                   f"{r.choice(('INFO', 'INFO', 'INFO', 'WARN', 'ERROR'))} http request id={r.randrange(16**16):016x} "
                   f"remote=10.{r.randint(0, 3)}.{r.randint(0, 255)}.{r.randint(1, 254)}:{r.randint(1024, 65535)} "
                   f"method={r.choice(('GET', 'GET', 'POST', 'PUT'))} path={r.choice(paths)} "
                   f"status={r.choice((200, 200, 200, 201, 204, 304, 400, 404, 500))} bytes={r.randint(0, 90000)} "
                   f"duration={r.randint(80, 90000)}us agent=\"{r.choice(agents)}\"\n")
    return "".join(out)


def main():
    os.makedirs(HERE, exist_ok=True)
    size = 48 << 10
    for name, make, seed in (("ticks.json", ticks, 1), ("chat.txt", chat, 2), ("page.html", page, 3), ("server.log", log, 4)):
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(make(random.Random(seed), size).encode())
    with open(os.path.join(HERE, "random.bin"), "wb") as f:
        f.write(random.Random(5).randbytes(32 << 10))


if __name__ == "__main__":
    main()
