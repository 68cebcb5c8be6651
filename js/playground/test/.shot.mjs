import { launch, open } from '/work/w-npm-playground/js/playground/test/browsers.mjs';
const [,, browser='chrome', dark='', sizes='1280x900,360x740'] = process.argv;
const b = await launch(browser, {dark: dark==='dark'});
try {
for (const size of sizes.split(',')) {
  const [width,height]=size.split('x').map(Number);
  const {page, wrong}=await open(b,{width,height,scale: width<500?2:1});
  await page.screenshot({path:`/tmp/shot-${browser}-${dark}-${width}-0.png`, fullPage:true});
  await page.focus('#prompt');
  for (const t of ['set greeting 0 60 5\\r\\nhello','get greeting','mg greeting t s v','gte greeting','ma visits N0 J1 v'])  { await page.type('#prompt', t); await page.keyboard.press('Enter'); }
  await page.click('#run');
  await page.waitForFunction(()=>document.querySelector('#run').textContent==='Run the load',{timeout:60000});
  await page.type('#prompt','set k');
  await page.screenshot({path:`/tmp/shot-${browser}-${dark}-${width}-1.png`, fullPage:true});
  console.log(size, wrong, await page.$eval('#progress',e=>e.textContent), await page.evaluate(()=>[document.documentElement.scrollWidth, innerWidth]), await page.$eval('table',e=>e.innerText));
  await page.close();
}
} finally { await b.started.close(); }
