"""How much every text of a page stands out from what is behind it, as a browser shows it.

Source: WCAG 2.2, 1.4.3.
"""

CONTRAST_LEAST = 4.5
CONTRASTS = """() => {
    const numbers = (text) => text.match(/[0-9.]+/g).map(Number);
    const light = (text) => numbers(text).slice(0, 3).map((each) => each / 255)
        .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (element) => {
        const text = getComputedStyle(element).backgroundColor;
        const isClear = numbers(text)[3] === 0 || text === 'transparent';
        return isClear && element.parentElement ? ground(element.parentElement) : text;
    };
    const texts = [...document.querySelectorAll('body *')].filter((each) =>
        each.checkVisibility() && [...each.childNodes].some((node) =>
            node.nodeType === 3 && node.textContent.trim()));
    return texts.map((each) => {
        const pair = [light(getComputedStyle(each).color), light(ground(each))];
        const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        return [ratio, each.textContent.trim().slice(0, 40)];
    });
}"""
